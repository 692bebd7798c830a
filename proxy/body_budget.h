#pragma once
// The bytes of request bodies that are held for the clients of the whole process, against
// limits.max_buffered_body_bytes: what one connection may send is bounded by itself, what many may
// is bounded here. A body counts from its arrival to the end of its exchange; a copy that outlives
// that counts as shadow work (shadow_memory.h).
//
// Counted in steps that a body has begun, so that a large one costs an atomic addition a step. What
// is announced and has not come takes no memory, and does not count; nor does a body that flows
// both ways, which is never held whole: its stream's window bounds it.

#include <atomic>
#include <cstddef>
#include <utility>

namespace understudy::proxy {

// Owned by the Server. Any thread.
class BodyBudget {
 public:
  static constexpr std::size_t kStep = std::size_t{4} << 10;

  // In whole steps, too: a single body of that size finds room.
  void allow(std::size_t bytes) noexcept {
    allowed_.store(whole_steps(bytes), std::memory_order_relaxed);
  }
  std::size_t held() const noexcept { return held_.load(std::memory_order_relaxed); }

 private:
  friend class BodyShare;
  static constexpr std::size_t whole_steps(std::size_t bytes) noexcept {
    return (bytes + kStep - 1) / kStep * kStep;
  }
  bool take(std::size_t bytes) noexcept {
    const bool room = held_.fetch_add(bytes, std::memory_order_relaxed) + bytes <=
                      allowed_.load(std::memory_order_relaxed);
    if (!room) give_back(bytes);
    return room;
  }
  void give_back(std::size_t bytes) noexcept { held_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::atomic<std::size_t> held_{0}, allowed_{0};
};

// What one body has of it; given back when it goes.
class BodyShare {
 public:
  BodyShare() = default;  // counts nothing
  explicit BodyShare(BodyBudget& budget) noexcept : budget_(&budget) {}
  BodyShare(BodyShare&& other) noexcept
      : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  BodyShare& operator=(BodyShare&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~BodyShare() { clear(); }

  // The body is `size` bytes now. False where there is no room; what it had it keeps.
  bool grow_to(std::size_t size) noexcept {
    const std::size_t steps = BodyBudget::whole_steps(size);
    if (steps <= bytes_ || budget_ == nullptr) return true;
    if (!budget_->take(steps - bytes_)) return false;
    bytes_ = steps;
    return true;
  }
  void clear() noexcept {
    if (const std::size_t bytes = std::exchange(bytes_, 0); bytes > 0) budget_->give_back(bytes);
  }

 private:
  BodyBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace understudy::proxy
