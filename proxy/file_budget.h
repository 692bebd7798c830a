#pragma once
// How many exchanges the process's open files allow, and how many shares of that are taken. A share
// is three files: a client, its upstream, a copy. A connection of a client takes one; HTTP/2
// carries many exchanges over one connection, so each beyond its first takes another.
//
// Owned by the Server. Any thread.

#include <atomic>
#include <cstddef>

namespace understudy::proxy {

class FileBudget {
 public:
  void allow(std::size_t shares) noexcept { allowed_.store(shares, std::memory_order_relaxed); }

  bool has_room() const noexcept {
    return taken_.load(std::memory_order_relaxed) < allowed_.load(std::memory_order_relaxed);
  }
  void take() noexcept { taken_.fetch_add(1, std::memory_order_relaxed); }
  bool take_if_there_is_room() noexcept {
    const bool room =
        taken_.fetch_add(1, std::memory_order_relaxed) < allowed_.load(std::memory_order_relaxed);
    if (!room) give_back();
    return room;
  }
  void give_back() noexcept { taken_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> taken_{0}, allowed_{0};
};

}  // namespace understudy::proxy
