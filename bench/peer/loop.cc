#include "bench/peer/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace understudy::bench {
namespace {

// Holds the largest message of the bench whole: one read for each.
constexpr std::size_t kScratchBytes = 256u << 10;
constexpr int kBacklog = 4096;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void send_at_once(int fd) {
  const int on = 1;
  if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
}

}  // namespace

Nanoseconds now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<Nanoseconds>(time.tv_sec) * kSecond + time.tv_nsec;
}

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), scratch_(kScratchBytes) {
  if (epoll_ < 0) fail("epoll_create1");
}

Loop::~Loop() {
  ::close(epoll_);
}

void Loop::watch(int fd, std::uint32_t events, Watcher* watcher) {
  epoll_event event{.events = events, .data = {.ptr = watcher}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void Loop::change(int fd, std::uint32_t events, Watcher* watcher) {
  epoll_event event{.events = events, .data = {.ptr = watcher}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) fail("epoll_ctl");
}

void Loop::turn() {
  Nanoseconds due = kNever;
  for (const Scheduled* scheduled : scheduled_) due = std::min(due, scheduled->next_due());
  timespec wait{};
  if (due != kNever) {
    const Nanoseconds left = std::max<Nanoseconds>(0, due - now());
    wait = {.tv_sec = left / kSecond, .tv_nsec = left % kSecond};
  }
  std::array<epoll_event, 256> events;
  const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()),
                                   due == kNever ? nullptr : &wait, nullptr);
  if (count < 0 && errno != EINTR) fail("epoll_pwait2");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
  }
  if (due != kNever) {
    const Nanoseconds time = now();
    // By index: what is due may schedule and unschedule.
    for (std::size_t i = 0; i < scheduled_.size(); ++i) {
      if (scheduled_[i]->next_due() <= time) scheduled_[i]->on_due(time);
    }
  }
  graves_.clear();
}

int listen_on_loopback(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = loopback(port);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) fail("bind");
  if (::listen(fd, kBacklog) != 0) fail("listen");
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail("getsockname");
  port = ntohs(address.sin_port);
  return fd;
}

int connect_to_loopback(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const sockaddr_in address = loopback(port);
  // Blocking: on loopback the kernel completes it at once.
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(fd);
    throw std::system_error(error, std::generic_category(), "connect");
  }
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  send_at_once(fd);
  return fd;
}

int accept_from(int listener) {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) send_at_once(fd);
  return fd;
}

}  // namespace understudy::bench
