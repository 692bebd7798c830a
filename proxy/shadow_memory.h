#pragma once
// The bytes that are held for shadow work, all routes together, against limits.max_shadow_bytes.
// Any thread.

#include <atomic>
#include <cstddef>
#include <utility>

namespace understudy::proxy {

class ShadowMemory {
 public:
  explicit ShadowMemory(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}
  void set_max(std::size_t max_bytes) noexcept {
    max_bytes_.store(max_bytes, std::memory_order_relaxed);
  }
  std::size_t held() const noexcept { return held_.load(std::memory_order_relaxed); }

 private:
  friend class HeldBytes;
  bool take(std::size_t bytes) noexcept {
    if (held_.fetch_add(bytes, std::memory_order_relaxed) + bytes <=
        max_bytes_.load(std::memory_order_relaxed))
      return true;
    give_back(bytes);
    return false;
  }
  void give_back(std::size_t bytes) noexcept { held_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::atomic<std::size_t> held_{0};
  std::atomic<std::size_t> max_bytes_;
};

// What one exchange or leg holds; given back when it goes.
class HeldBytes {
 public:
  explicit HeldBytes(ShadowMemory& memory) noexcept : memory_(&memory) {}
  HeldBytes(HeldBytes&& other) noexcept
      : memory_(other.memory_), bytes_(std::exchange(other.bytes_, 0)) {}
  HeldBytes& operator=(HeldBytes&&) = delete;
  ~HeldBytes() {
    if (bytes_ > 0) memory_->give_back(bytes_);
  }
  // False where there is no room; what was held stays held.
  bool grow(std::size_t bytes) noexcept {
    if (!memory_->take(bytes)) return false;
    bytes_ += bytes;
    return true;
  }

 private:
  ShadowMemory* memory_;
  std::size_t bytes_ = 0;
};

}  // namespace understudy::proxy
