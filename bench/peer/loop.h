#pragma once
// One epoll loop on one thread: the load generator and the fake upstream share it, so that together
// they stay within one core and no clock has to be compared across threads. Everything in
// bench/peer runs on that thread.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace understudy::bench {

using Nanoseconds = std::int64_t;  // CLOCK_MONOTONIC
inline constexpr Nanoseconds kSecond = 1'000'000'000;
inline constexpr Nanoseconds kNever = INT64_MAX;

Nanoseconds now() noexcept;

// Something with a file descriptor.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void on_ready(std::uint32_t events) = 0;
};

// Something with due times. on_due() runs when next_due() has passed.
class Scheduled {
 public:
  virtual Nanoseconds next_due() const = 0;
  virtual void on_due(Nanoseconds now) = 0;

 protected:
  ~Scheduled() = default;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void watch(int fd, std::uint32_t events, Watcher* watcher);
  void change(int fd, std::uint32_t events, Watcher* watcher);
  // Frees a watcher at the end of the turn: an event for it may still be waiting in the batch.
  void bury(std::unique_ptr<Watcher> watcher) { graves_.push_back(std::move(watcher)); }

  void schedule(Scheduled* scheduled) { scheduled_.push_back(scheduled); }
  void unschedule(Scheduled* scheduled) { std::erase(scheduled_, scheduled); }

  // Waits for the next event or due time and handles what is there.
  void turn();

  // Where everybody reads into; its content lasts until the next read.
  std::span<char> scratch() { return scratch_; }

 private:
  int epoll_;
  std::vector<Scheduled*> scheduled_;
  std::vector<std::unique_ptr<Watcher>> graves_;
  std::vector<char> scratch_;
};

// Sockets on 127.0.0.1, non-blocking, TCP_NODELAY. They throw std::system_error: a bench without
// sockets is no bench.
int listen_on_loopback(std::uint16_t& port);  // port 0 is replaced by the one taken
int connect_to_loopback(std::uint16_t port);
// The next connection, or -1 when none waits.
int accept_from(int listener);

}  // namespace understudy::bench
