#include "proxy/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace understudy::proxy {

namespace {

constexpr int kFirstProbeSeconds = 60;
constexpr int kNextProbeSeconds = 15;
constexpr int kProbes = 4;

void set(int socket, int level, int option, int value) noexcept {
  ::setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

void set_connection_options(int socket) noexcept {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, kFirstProbeSeconds);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, kNextProbeSeconds);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
}

}  // namespace understudy::proxy
