#pragma once
// Looks at the rollouts every second, on a thread of its own. Owned by the serve command.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace understudy::proxy {

class RolloutWatch {
 public:
  static constexpr std::chrono::milliseconds kEvery{1'000};

  // `look` runs on the watch's thread; it may throw only for want of memory.
  explicit RolloutWatch(std::function<void()> look);
  ~RolloutWatch();  // waits for a look under way
  RolloutWatch(const RolloutWatch&) = delete;
  RolloutWatch& operator=(const RolloutWatch&) = delete;

 private:
  void run();

  const std::function<void()> look_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace understudy::proxy
