#include "proxy/task.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>

#include "proxy/frame_pool.h"

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
  left_spawn_ = true;
  asio::post(context_,
             [owner = std::unique_ptr<RunningTask>(this)]() mutable { owner.release()->go_on(); });
}

void RunningTask::go_on() {
  waits_ = false;
  while (!waits_ && current_) current_.resume();
  if (waits_) return;
  if (left_spawn_) return complete();
  asio::post(context_, [owner = std::unique_ptr<RunningTask>(this)]() mutable {
    owner.release()->complete();
  });
}

// While it does not wait, what it was to wait for could not begin, which an exception tells it.
void RunningTask::abandon() {
  if (waits_) asio::post(context_, [owner = std::unique_ptr<RunningTask>(this)] {});
}

namespace task_detail {

namespace {

// Under a sanitizer every frame is an allocation of its own, so that use after its end is seen.
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

}  // namespace task_detail

void drop_unused_frames() noexcept {
  task_detail::frames.drop_unused();
}

}  // namespace understudy::proxy
