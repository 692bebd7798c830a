#include "proxy/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace understudy::proxy {

namespace {

constexpr int kProbes = 4;

void set(int socket, int level, int option, int value) noexcept {
  ::setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

void set_connection_options(int socket, std::chrono::milliseconds keep_alive) noexcept {
  const auto seconds =
      static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(keep_alive).count());
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, (seconds + kProbes - 1) / kProbes);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
}

}  // namespace understudy::proxy
