#pragma once
// Does a piece of work every so often on a thread of its own: looks at rollouts, calls that keep a
// way back open, questions to the control plane. Its owner makes it last, so that what the work
// uses outlives it.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace understudy::proxy {

class Periodic {
 public:
  // The first time after `every`. `name` is the thread's, at most 15 characters. What the work
  // throws (only for want of memory) is logged and the next time tries again.
  Periodic(std::string name, std::chrono::milliseconds every, std::function<void()> work);
  ~Periodic();  // waits for the work under way
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

  // Any thread. Work of many steps ends early where this is true.
  bool stopping() const noexcept { return stopping_; }

 private:
  void run();

  const std::string name_;
  const std::chrono::milliseconds every_;
  const std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace understudy::proxy
