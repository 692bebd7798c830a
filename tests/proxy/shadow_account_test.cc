#include "proxy/shadow_account.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace understudy::proxy {
namespace {

using metrics::DropReason;
using namespace std::chrono_literals;
const SteadyTime kStart = SteadyTime{} + 1h;

// --- The primary's health
// -----------------------------------------------------------------------------------------------

TEST(ThrottleWindow, SuspendsFromOnePercentOn) {
  ThrottleWindow window;
  EXPECT_FALSE(window.suspended(kStart));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(window.count(false, kStart, 10s));
  EXPECT_FALSE(window.suspended(kStart));
  EXPECT_FALSE(window.count(true, kStart, 10s));
  EXPECT_FALSE(window.suspended(kStart)) << "1 of 101";
  EXPECT_TRUE(window.count(true, kStart, 10s)) << "that is where it begins";
  EXPECT_TRUE(window.suspended(kStart)) << "2 of 102";
  EXPECT_FALSE(window.count(true, kStart, 10s)) << "it goes on";
}

TEST(ThrottleWindow, RestsAsLongAsItIsToldTo) {
  ThrottleWindow window;
  EXPECT_TRUE(window.count(true, kStart, 30s));
  EXPECT_EQ(window.left(kStart + 10s), 20s);
  EXPECT_TRUE(window.suspended(kStart + 29s));
  EXPECT_FALSE(window.suspended(kStart + 30s));
  EXPECT_TRUE(window.count(true, kStart + 40s, 30s)) << "another one";
  EXPECT_FALSE(window.count(true, kStart + 50s, 30s));
  EXPECT_TRUE(window.suspended(kStart + 79s)) << "each throttled answer makes it last";
  EXPECT_FALSE(window.suspended(kStart + 80s));
}

TEST(ThrottleWindow, ForgetsTheAnswersOfTenSecondsAgo) {
  ThrottleWindow window;
  for (int i = 0; i < 1000; ++i) window.count(false, kStart, 1s);
  EXPECT_FALSE(window.count(true, kStart + 9s, 1s)) << "1 of 1001";
  EXPECT_TRUE(window.count(true, kStart + 10s, 1s)) << "the thousand are too old";
}

// --- The breaker
// --------------------------------------------------------------------------------------------------------

const routing::BreakerConfig kBreaker{.consecutive_failures = 3,
                                      .failure_percent = {5000},
                                      .min_requests = 10,
                                      .window = 10s,
                                      .open_for = 30s};

using Permit = Breaker::Permit;

TEST(Breaker, OpensAfterFailuresInARow) {
  Breaker breaker;
  breaker.failed(kStart, kBreaker);
  breaker.failed(kStart, kBreaker);
  breaker.succeeded(kStart, kBreaker);
  breaker.failed(kStart, kBreaker);
  breaker.failed(kStart, kBreaker);
  EXPECT_NE(breaker.ask(kStart), Permit::no);
  breaker.failed(kStart, kBreaker);
  EXPECT_TRUE(breaker.open());
  EXPECT_EQ(breaker.ask(kStart), Permit::no);
}

TEST(Breaker, OpensAtAShareOfFailures) {
  Breaker breaker;
  routing::BreakerConfig config = kBreaker;
  config.consecutive_failures = 100;
  for (int i = 0; i < 4; ++i) {
    breaker.succeeded(kStart, config);
    breaker.failed(kStart, config);
  }
  breaker.succeeded(kStart, config);
  EXPECT_FALSE(breaker.open()) << "nine are too few to tell";
  breaker.failed(kStart, config);
  EXPECT_TRUE(breaker.open()) << "five of ten";
}

TEST(Breaker, ForgetsTheShareOfAnOldWindow) {
  Breaker breaker;
  routing::BreakerConfig config = kBreaker;
  config.consecutive_failures = 100;
  for (int i = 0; i < 9; ++i) breaker.failed(kStart, config);
  breaker.failed(kStart + 11s, config);
  EXPECT_FALSE(breaker.open());
}

TEST(Breaker, LetsOneProbeThroughWhenItsTimeIsOver) {
  Breaker breaker;
  for (int i = 0; i < 3; ++i) breaker.failed(kStart, kBreaker);
  EXPECT_EQ(breaker.ask(kStart + 23s), Permit::no) << "not before 80 % of the time";
  const auto later = kStart + 37s;  // 120 % and more
  EXPECT_EQ(breaker.ask(later), Permit::probe);
  EXPECT_EQ(breaker.ask(later), Permit::no) << "one is enough";
  breaker.failed(later, kBreaker);
  EXPECT_EQ(breaker.ask(later + 23s), Permit::no) << "open again";
  EXPECT_NE(breaker.ask(later + 37s), Permit::no);
  breaker.succeeded(later + 37s, kBreaker);
  EXPECT_FALSE(breaker.open());
  EXPECT_NE(breaker.ask(later + 37s), Permit::no);
  EXPECT_NE(breaker.ask(later + 37s), Permit::no);
}

TEST(Breaker, GivesTheProbeToAnotherWhereItWasNotMade) {
  Breaker breaker;
  for (int i = 0; i < 3; ++i) breaker.failed(kStart, kBreaker);
  const auto later = kStart + 37s;
  EXPECT_NE(breaker.ask(later), Permit::no);
  breaker.abandoned();
  EXPECT_NE(breaker.ask(later), Permit::no);
}

TEST(ShadowAccount, SaysWhichCopyIsTheBreakersProbe) {
  ShadowAccount account;
  const routing::ShadowConfig config;
  EXPECT_FALSE(account.admit(config, kStart).is_probe);
  for (int i = 0; i < 5; ++i) account.breaker.failed(kStart, config.breaker);
  const auto later = kStart + 37s;
  EXPECT_TRUE(account.admit(config, later).is_probe);
  EXPECT_EQ(account.admit(config, later).refused, DropReason::breaker);
}

// --- Admission
// ----------------------------------------------------------------------------------------------------------

TEST(ShadowAccount, AdmitsWhatItHasRoomFor) {
  ShadowAccount account;
  routing::ShadowConfig config;
  config.max_in_flight = 2;
  config.max_queued = 1;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(account.admit(config, kStart).refused);
  EXPECT_EQ(account.admit(config, kStart).refused, DropReason::queue);
  EXPECT_EQ(account.held(), 3U);
  account.left();
  EXPECT_FALSE(account.admit(config, kStart).refused);
  config.max_queued = 0;
  EXPECT_EQ(account.admit(config, kStart).refused, DropReason::in_flight);
}

TEST(ShadowAccount, AdmitsNothingThroughAnOpenBreaker) {
  ShadowAccount account;
  const routing::ShadowConfig config;
  for (int i = 0; i < 5; ++i) account.breaker.failed(kStart, config.breaker);
  EXPECT_EQ(account.admit(config, kStart).refused, DropReason::breaker);
  EXPECT_EQ(account.held(), 0U);
}

TEST(ShadowAccount, AdmitsNothingWhileThePrimaryIsThrottled) {
  ShadowAccount account;
  const routing::RouteConfig route;
  for (const int status : {429, 503}) {
    account.primary_answered(route, status, kStart);
    EXPECT_EQ(account.admit(route.shadow, kStart).refused, DropReason::suspended);
  }
  EXPECT_EQ(account.suspensions(), 1U) << "the second answer belongs to the first one's";
  EXPECT_FALSE(account.admit(route.shadow, kStart + 11s).refused);
  account.primary_answered(route, 500, kStart + 11s);
  EXPECT_FALSE(account.admit(route.shadow, kStart + 11s).refused);
}

TEST(ShadowAccount, KeepsTheDaysMoney) {
  ShadowAccount account;
  routing::ShadowConfig config;
  config.budget.usd_per_day = 1.0;
  EXPECT_FALSE(account.admit(config, kStart).refused);
  account.spent(0.4);
  account.left();
  EXPECT_DOUBLE_EQ(account.spent_today(), 0.4);
  EXPECT_FALSE(account.admit(config, kStart).refused) << "0.4 spent";
  EXPECT_FALSE(account.admit(config, kStart).refused) << "0.4 spent, 0.4 committed";
  EXPECT_EQ(account.admit(config, kStart).refused, DropReason::budget)
      << "0.4 spent, 0.8 committed";
  account.spent(std::nullopt);  // an unknown cost is the mean of the known ones
  EXPECT_DOUBLE_EQ(account.spent_today(), 0.8);
}

TEST(ShadowAccount, KeepsTheMinutesRate) {
  ShadowAccount account;
  const routing::ShadowBudget none;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(account.take_rate(none, kStart));
  routing::ShadowBudget budget;
  budget.requests_per_minute = 600;
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += account.take_rate(budget, kStart);
  EXPECT_EQ(taken, 10) << "a second's worth";
  taken = 0;
  for (int second = 1; second <= 60; ++second) {
    for (int i = 0; i < 100; ++i)
      taken += account.take_rate(budget, kStart + std::chrono::seconds{second});
  }
  EXPECT_EQ(taken, 600);
}

TEST(ShadowAccount, KeepsTheTokensOfAnyMinute) {
  ShadowAccount account;
  TokenReservation taken;
  EXPECT_TRUE(account.take_tokens({}, 1'000'000, kStart, taken)) << "no budget";
  EXPECT_EQ(account.tokens_of_last_minute(kStart), 0U);
  routing::ShadowBudget budget;
  budget.tokens_per_minute = 1000;
  EXPECT_TRUE(account.take_tokens(budget, 600, kStart, taken));
  TokenReservation more;
  EXPECT_FALSE(account.take_tokens(budget, 401, kStart + 59s, more));
  EXPECT_TRUE(account.take_tokens(budget, 400, kStart + 59s, more));
  EXPECT_EQ(account.tokens_of_last_minute(kStart + 59s), 1000U);
  EXPECT_TRUE(account.take_tokens(budget, 600, kStart + 60s, taken))
      << "the first are a minute old";
  EXPECT_FALSE(account.take_tokens(budget, 1, kStart + 60s, more));
}

TEST(ShadowAccount, GivesBackTheTokensThatWereNotUsed) {
  ShadowAccount account;
  routing::ShadowBudget budget;
  budget.tokens_per_minute = 1000;
  TokenReservation taken, none;
  ASSERT_TRUE(account.take_tokens(budget, 1000, kStart, taken));
  account.settle_tokens(none, 5);
  EXPECT_EQ(account.tokens_of_last_minute(kStart), 1000U)
      << "nothing was taken, nothing comes back";
  account.settle_tokens(taken, 250);
  EXPECT_EQ(account.tokens_of_last_minute(kStart + 1s), 250U);
  EXPECT_TRUE(account.take_tokens(budget, 750, kStart + 61s, taken));
  ASSERT_TRUE(account.take_tokens(budget, 100, kStart + 70s, none));
  account.settle_tokens(none, 2000);
  EXPECT_EQ(account.tokens_of_last_minute(kStart + 70s), 2750U) << "an answer may burn more";
  EXPECT_FALSE(account.take_tokens(budget, 1, kStart + 71s, taken));
  EXPECT_TRUE(account.take_tokens(budget, 1, kStart + 130s, taken));
  account.settle_tokens({.tokens = 750, .second = 3600 + 61}, 0);
  EXPECT_EQ(account.tokens_of_last_minute(kStart + 130s), 1U) << "that one was forgotten already";
}

TEST(ShadowAccount, LearnsHowManyTokensABodyHas) {
  ShadowAccount account;
  EXPECT_EQ(account.estimated_input(300), 101U) << "cautious";
  account.input_was(1000, 200);
  EXPECT_EQ(account.estimated_input(300), 60U);
  account.input_was(1'000'000, 800);  // a picture
  EXPECT_EQ(account.estimated_input(1'001'000), 1000U);
}

TEST(ShadowAccount, HoldsItsBoundAgainstManyThreads) {
  ShadowAccount account;
  routing::ShadowConfig config;
  config.max_in_flight = 5;
  config.max_queued = 5;
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        if (account.admit(config, kStart).refused) continue;
        EXPECT_LE(++admitted, 10);
        --admitted;
        account.left();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(account.held(), 0U);
}

}  // namespace
}  // namespace understudy::proxy
