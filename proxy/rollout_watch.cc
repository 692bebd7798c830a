#include "proxy/rollout_watch.h"

#include <exception>
#include <utility>

#include "proxy/log.h"

namespace understudy::proxy {

RolloutWatch::RolloutWatch(std::function<void()> look)
    : look_(std::move(look)), thread_([this] { run(); }) {}

RolloutWatch::~RolloutWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void RolloutWatch::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, kEvery, [this] { return stopping_; })) {
    lock.unlock();
    try {
      look_();
    } catch (const std::exception& failure) {
      // The shares stay where they are; the next look tries again.
      log_error("rollout_look_failed", {{"why", failure.what()}});
    }
    lock.lock();
  }
}

}  // namespace understudy::proxy
