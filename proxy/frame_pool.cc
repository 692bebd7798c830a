#include "proxy/frame_pool.h"

namespace understudy::proxy {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kKeepBytes = 0;
#else
constexpr std::size_t kKeepBytes = 64u << 10;  // of each of some twenty sizes
#endif

constinit thread_local FramePool frames(kKeepBytes);

}  // namespace

void* take_frame(std::size_t bytes) {
  return frames.take(bytes);
}

void give_frame_back(void* frame, std::size_t bytes) noexcept {
  frames.give_back(frame, bytes);
}

void drop_unused_frames() noexcept {
  frames.drop_unused();
}

}  // namespace understudy::proxy
