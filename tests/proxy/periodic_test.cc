#include "proxy/periodic.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>

namespace understudy::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Periodic, DoesItsWorkAgainAlsoAfterWorkThatThrew) {
  std::atomic<int> times = 0;
  std::promise<void> again;
  const Periodic periodic("periodic-test", milliseconds{1}, [&] {
    const int now = ++times;
    if (now == 1) throw std::runtime_error("the first time");
    if (now == 2) again.set_value();
  });
  EXPECT_EQ(again.get_future().wait_for(seconds{30}), std::future_status::ready);
}

TEST(Periodic, EndsWorkOfManyStepsEarlyWhenItsOwnerGoes) {
  std::promise<void> began;
  std::atomic<bool> told = false;
  struct Owner {
    std::promise<void>& began;
    std::atomic<bool>& told;
    bool first = true;
    Periodic thread{"periodic-test", milliseconds{1}, [this] { work(); }};

    void work() {
      if (!first) return;
      first = false;
      began.set_value();
      const auto limit = std::chrono::steady_clock::now() + seconds{30};
      while (!thread.stopping() && std::chrono::steady_clock::now() < limit) {
        std::this_thread::yield();
      }
      told = thread.stopping();
    }
  };
  {
    Owner owner{.began = began, .told = told};
    ASSERT_EQ(began.get_future().wait_for(seconds{30}), std::future_status::ready);
  }
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace understudy::proxy
