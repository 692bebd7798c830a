#pragma once
// The connected TCP sockets of this process, which are the test's and the proxy's in it: found by
// their ports, to ask the kernel about them.

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace understudy::testing_support {

struct Ports {
  std::uint16_t own = 0;
  std::uint16_t peer = 0;
};

inline std::optional<Ports> ports_of(int descriptor) {
  sockaddr_in own{}, peer{};
  socklen_t own_size = sizeof own, peer_size = sizeof peer;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &own_size) != 0 ||
      ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0 ||
      own.sin_family != AF_INET)
    return std::nullopt;
  return Ports{.own = ntohs(own.sin_port), .peer = ntohs(peer.sin_port)};
}

// The first one whose ports `fit`; -1 where there is none.
template <typename Fit>
int connected_socket(Fit fit) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int descriptor = std::stoi(entry.path().filename());
    if (const auto ports = ports_of(descriptor); ports && fit(*ports)) return descriptor;
  }
  return -1;
}
inline int accepted_by(std::uint16_t listener) {
  return connected_socket([listener](const Ports& ports) { return ports.own == listener; });
}
inline int connected_to(std::uint16_t listener) {
  return connected_socket([listener](const Ports& ports) { return ports.peer == listener; });
}

inline int option_of(int descriptor, int level, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(descriptor, level, option, &value, &size) == 0 ? value : -1;
}

// Written, and not yet in the peer's hands.
inline std::int64_t unsent_bytes(int descriptor) {
  int bytes = 0;
  return ::ioctl(descriptor, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}
// Come in, and not yet read.
inline std::int64_t unread_bytes(int descriptor) {
  int bytes = 0;
  return ::ioctl(descriptor, SIOCINQ, &bytes) == 0 ? bytes : 0;
}

}  // namespace understudy::testing_support
