#include "proxy/task.h"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <new>

namespace understudy::proxy {

namespace asio = boost::asio;

RunningTask::RunningTask(asio::io_context& context) : context_(context) {
  context_.get_executor().on_work_started();
}

RunningTask::~RunningTask() {
  context_.get_executor().on_work_finished();
}

void RunningTask::start(std::coroutine_handle<> coroutine) {
  current_ = coroutine;
  if (context_.get_executor().running_in_this_thread()) return go_on();
  waits_ = has_waited_ = true;  // before another thread may run it
  asio::post(context_, Resumption(*this));
}

void RunningTask::go_on() {
  waits_ = false;
  while (!waits_ && current_) current_.resume();
  if (waits_) return;
  if (has_waited_) return complete();
  asio::post(context_, [owner = std::unique_ptr<RunningTask>(this)]() mutable {
    owner.release()->complete();
  });
}

void RunningTask::abandon() {
  // Without waiting for it: the operation could not begin, which the task is told by an exception.
  if (waits_) asio::post(context_, [owner = std::unique_ptr<RunningTask>(this)] {});
}

namespace task_detail {

namespace {

// Under a sanitizer every frame is an allocation of its own, so that use after its end is seen.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kMaxKeptBytes = 0;
#else
constexpr std::size_t kMaxKeptBytes = 1u << 20;  // of a thread: some hundred exchanges
#endif
constexpr std::size_t kStep = 64;
constexpr std::size_t kLargest = 4096;

// Freed frames by size, last in, first out: what is taken next is what the cache still holds.
class FramePool {
 public:
  constexpr FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() {
    for (Free*& list : lists_) {
      while (list != nullptr) ::operator delete(std::exchange(list, list->next));
    }
    kept_bytes_ = kMaxKeptBytes;  // frames that end after this keep nothing
  }

  void* take(std::size_t bytes) {
    const std::size_t steps = steps_for(bytes);
    if (steps > kLists) return ::operator new(bytes);
    Free*& list = lists_[steps - 1];
    if (list == nullptr) return ::operator new(steps* kStep);
    kept_bytes_ -= steps * kStep;
    return std::exchange(list, list->next);
  }

  void give_back(void* frame, std::size_t bytes) noexcept {
    const std::size_t steps = steps_for(bytes);
    if (steps > kLists || kept_bytes_ + steps * kStep > kMaxKeptBytes)
      return ::operator delete(frame);
    Free*& list = lists_[steps - 1];
    list = new (frame) Free{list};
    kept_bytes_ += steps * kStep;
  }

 private:
  struct Free {
    Free* next;
  };
  static constexpr std::size_t kLists = kLargest / kStep;
  static constexpr std::size_t steps_for(std::size_t bytes) { return (bytes + kStep - 1) / kStep; }

  std::array<Free*, kLists> lists_{};
  std::size_t kept_bytes_ = 0;
};

constinit thread_local FramePool frames;

}  // namespace

void* take_frame(std::size_t bytes) {
  return frames.take(bytes);
}

void give_frame_back(void* frame, std::size_t bytes) noexcept {
  frames.give_back(frame, bytes);
}

}  // namespace task_detail

}  // namespace understudy::proxy
