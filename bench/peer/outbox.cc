#include "bench/peer/outbox.h"

#include <sys/socket.h>

#include <cerrno>

namespace understudy::bench {
namespace {

// How much was taken, or -1 when the connection is broken.
ssize_t write_some(int fd, std::string_view bytes) {
  const ssize_t written = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (written >= 0) return written;
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

}  // namespace

bool Outbox::send(int fd, std::string_view bytes) {
  if (!rest_.empty()) {
    rest_.append(bytes);
    return true;
  }
  const ssize_t written = write_some(fd, bytes);
  if (written < 0) return false;
  rest_.assign(bytes.substr(static_cast<std::size_t>(written)));
  return true;
}

bool Outbox::flush(int fd) {
  const ssize_t written = write_some(fd, rest_);
  if (written < 0) return false;
  rest_.erase(0, static_cast<std::size_t>(written));
  return true;
}

}  // namespace understudy::bench
