#include "proxy/task.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>

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

}  // namespace understudy::proxy
