#include "proxy/deadline.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <list>

namespace understudy::proxy {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

class Alarm final : public Deadline {
 public:
  explicit Alarm(DeadlineSweep& sweep, std::function<void()> then = {},
                 AtStop at_stop = AtStop::expires)
      : Deadline(sweep, at_stop), then_(std::move(then)) {}
  int rung = 0;
  steady_clock::time_point rung_at{};

 private:
  void expired() noexcept override {
    ++rung;
    rung_at = steady_clock::now();
    if (then_) then_();
  }
  std::function<void()> then_;
};

class DeadlineTest : public testing::Test {
 protected:
  // Runs the loop until `met` holds, for at most thirty seconds.
  void run_until(const std::function<bool()>& met) {
    const auto give_up = steady_clock::now() + 30s;
    context_.restart();  // it stops whenever there is nothing to wait for
    while (!met() && steady_clock::now() < give_up) context_.run_one_for(100ms);
    EXPECT_TRUE(met());
  }
  boost::asio::io_context context_{1};
  DeadlineSweep sweep_{context_};
};

TEST_F(DeadlineTest, RingsOnceAndNotBeforeItsTime) {
  Alarm alarm(sweep_);
  const auto begin = steady_clock::now();
  alarm.set(120ms);
  run_until([&] { return alarm.rung > 0; });
  EXPECT_GE(alarm.rung_at - begin, 120ms);
  context_.run_for(200ms);
  EXPECT_EQ(alarm.rung, 1);
}

TEST_F(DeadlineTest, DoesNotRingOnceItIsClearedOrGone) {
  Alarm cleared(sweep_), later(sweep_);
  auto gone = std::make_unique<Alarm>(sweep_, [] { FAIL(); });
  cleared.set(20ms);
  gone->set(20ms);
  later.set(40ms);
  cleared.clear();
  gone.reset();
  run_until([&] { return later.rung > 0; });
  EXPECT_EQ(cleared.rung, 0);
}

TEST_F(DeadlineTest, FollowsTheLastTimeItWasSetTo) {
  Alarm alarm(sweep_), other(sweep_);
  alarm.set(10ms);
  alarm.set(10min);
  other.set(10ms);
  run_until([&] { return other.rung > 0; });
  EXPECT_EQ(alarm.rung, 0);
  alarm.set(1ms);
  run_until([&] { return alarm.rung > 0; });
}

TEST_F(DeadlineTest, MayBeSetAgainByItself) {
  Alarm* self = nullptr;
  Alarm alarm(sweep_, [&] {
    if (self->rung < 3) self->set(1ms);
  });
  self = &alarm;
  alarm.set(1ms);
  run_until([&] { return alarm.rung == 3; });
}

// What a sweep calls may end any other deadline, the next one to be looked at included.
TEST_F(DeadlineTest, MayEndAnyOther) {
  for (int ender = 0; ender < 5; ++ender) {
    std::list<Alarm> alarms;
    int rung = 0;
    for (int i = 0; i < 5; ++i) {
      alarms.emplace_back(sweep_, [&, i] {
        ++rung;
        if (i == ender) alarms.remove_if([&](const Alarm& alarm) { return alarm.rung == 0; });
      });
      alarms.back().set(1ms);
    }
    run_until([&] {
      return rung > 0 && std::all_of(alarms.begin(), alarms.end(),
                                     [](const Alarm& alarm) { return alarm.rung == 1; });
    });
    EXPECT_EQ(static_cast<std::size_t>(rung), alarms.size());
  }
}

TEST_F(DeadlineTest, LetsNobodyWaitOnceItIsStopped) {
  Alarm before(sweep_), after(sweep_);
  before.set(10min);
  sweep_.stop();
  after.set(10min);
  EXPECT_EQ(before.rung + after.rung, 0) << "not before the loop's next turn";
  context_.run();
  EXPECT_EQ(before.rung, 1);
  EXPECT_EQ(after.rung, 1);
}

TEST_F(DeadlineTest, LetsTheLoopEndWithoutTidyingUpOnceItIsStopped) {
  Alarm* self = nullptr;
  Alarm tidy(
      sweep_, [&] { self->set(1ms); }, Deadline::AtStop::is_dropped);
  self = &tidy;
  tidy.set(1ms);
  run_until([&] { return tidy.rung > 1; });
  sweep_.stop();
  const int rung = tidy.rung;
  tidy.set(1ms);
  context_.run();
  EXPECT_EQ(tidy.rung, rung);
}

}  // namespace
}  // namespace understudy::proxy
