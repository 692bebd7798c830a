#pragma once
// Memory of coroutine frames between two uses. What came back last is taken next, while it is in
// the processor's cache. A pool belongs to one thread; a frame may come back to another thread's
// pool than the one it was taken from.

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace understudy::proxy {

class FramePool {
 public:
  static constexpr std::size_t kLargest = 4096;  // larger ones are not kept

  // Keeps at most `keep_bytes` of each size (of 64, 128, .. bytes), so that a burst of one size
  // leaves room for the others.
  constexpr explicit FramePool(std::size_t keep_bytes) noexcept : keep_bytes_(keep_bytes) {}
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() { drop_unused(); }

  // Throws std::bad_alloc.
  void* take(std::size_t bytes) {
    if (bytes > kLargest) return ::operator new(bytes);
    Size& size = size_for(bytes);
    return size.unused != nullptr ? pop(size) : ::operator new(rounded(bytes));
  }

  // `bytes` as it was taken.
  void give_back(void* frame, std::size_t bytes) noexcept {
    if (bytes > kLargest) return ::operator delete(frame);
    Size& size = size_for(bytes);
    if ((size.kept + 1) * rounded(bytes) > keep_bytes_) return ::operator delete(frame);
    size.unused = new (frame) Unused{size.unused};
    ++size.kept;
  }

  // How many bytes that was.
  std::size_t drop_unused() noexcept {
    std::size_t dropped = 0;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      dropped += sizes_[i].kept * i * kStep;
      while (sizes_[i].unused != nullptr) ::operator delete(pop(sizes_[i]));
    }
    return dropped;
  }

 private:
  struct Unused {
    Unused* next;
  };
  struct Size {
    Unused* unused = nullptr;
    std::size_t kept = 0;
  };
  static constexpr std::size_t kStep = 64;

  static constexpr std::size_t rounded(std::size_t bytes) noexcept {
    return (std::max<std::size_t>(bytes, 1) + kStep - 1) / kStep * kStep;
  }
  Size& size_for(std::size_t bytes) noexcept { return sizes_[rounded(bytes) / kStep]; }
  static void* pop(Size& size) noexcept {
    --size.kept;
    return std::exchange(size.unused, size.unused->next);
  }

  const std::size_t keep_bytes_;
  std::array<Size, kLargest / kStep + 1> sizes_{};
};

// The calling thread's pool. Under a sanitizer every frame is an allocation of its own, so that use
// after its end is seen.
void* take_frame(std::size_t bytes);  // throws std::bad_alloc
void give_frame_back(void* frame, std::size_t bytes) noexcept;
void drop_unused_frames() noexcept;

}  // namespace understudy::proxy
