#include "proxy/waiter.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;

Task<void> count_wakes(Waiter& waiter, int& wakes, std::shared_ptr<int> held) {
  while (true) {
    co_await waiter.wait();
    ++wakes;
    (void)held;
  }
}

class WaiterTest : public testing::Test {
 protected:
  void let_wait() {
    spawn(context_, count_wakes(*waiter_, wakes_, held_), [](std::exception_ptr) {});
    context_.poll();
  }

  asio::io_context context_;
  std::optional<Waiter> waiter_{std::in_place};
  int wakes_ = 0;
  std::shared_ptr<int> held_ = std::make_shared<int>(0);
};

TEST_F(WaiterTest, WakesACoroutineThatMayWaitAgainAtOnce) {
  let_wait();
  EXPECT_TRUE(waiter_->waiting());
  for (int i = 1; i <= 3; ++i) {
    waiter_->wake();
    EXPECT_EQ(wakes_, i);
    EXPECT_TRUE(waiter_->waiting());
  }
}

TEST_F(WaiterTest, WakingNobodyIsNothing) {
  waiter_->wake();
  EXPECT_FALSE(waiter_->waiting());
}

TEST_F(WaiterTest, EndsTheCoroutineThatNobodyCanWakeAnyMore) {
  let_wait();
  EXPECT_GT(held_.use_count(), 1);
  waiter_.reset();
  EXPECT_GT(held_.use_count(), 1) << "not at once: who ends the Waiter may be what it refers to";
  context_.restart();
  context_.poll();  // where coroutines are unwound
  EXPECT_EQ(held_.use_count(), 1) << "its frame is still there";
  EXPECT_EQ(wakes_, 0);
}

}  // namespace
}  // namespace understudy::proxy
