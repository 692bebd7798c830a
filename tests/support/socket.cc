#include "tests/support/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace understudy::testing_support {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string{what} + ": " + std::strerror(errno));
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Socket open_socket() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket");
  return Socket(descriptor);
}

}  // namespace

Socket::Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Socket::~Socket() {
  close();
}

Socket Socket::connect(std::uint16_t port, int receive_buffer_bytes) {
  Socket socket = open_socket();
  if (receive_buffer_bytes > 0) {
    // Before connecting: it decides the window that is offered.
    ::setsockopt(socket.descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                 sizeof receive_buffer_bytes);
  }
  const sockaddr_in address = loopback(port);
  if (::connect(socket.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
      0)
    fail("connect");
  const int yes = 1;
  ::setsockopt(socket.descriptor_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  socket.set_patience(kPatience);
  return socket;
}

Socket Socket::listen(std::uint16_t& port) {
  Socket socket = open_socket();
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(socket.descriptor_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(socket.descriptor_, 1024) != 0 ||
      ::getsockname(socket.descriptor_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    fail("listen");
  port = ntohs(address.sin_port);
  return socket;
}

Socket::Read Socket::read(std::string& to, std::size_t at_most) {
  const std::size_t before = to.size();
  to.resize(before + at_most);
  ::ssize_t got = 0;
  do {
    got = ::recv(descriptor_, to.data() + before, at_most, 0);
  } while (got < 0 && errno == EINTR);
  const int error = errno;
  to.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
  if (got > 0) return Read::data;
  if (got == 0) return Read::end;
  return error == EAGAIN || error == EWOULDBLOCK ? Read::timeout : Read::reset;
}

bool Socket::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ::ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Socket::set_patience(std::chrono::milliseconds patience) {
  const timeval time{.tv_sec = patience.count() / 1000,
                     .tv_usec = static_cast<suseconds_t>(patience.count() % 1000 * 1000)};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

void Socket::shut_down() {
  ::shutdown(descriptor_, SHUT_RDWR);
}

void Socket::end_writing() {
  ::shutdown(descriptor_, SHUT_WR);
}

void Socket::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void Socket::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

}  // namespace understudy::testing_support
