// By the name "localhost", which needs no network, and by answers that the test gives.

#include "proxy/resolver.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>
#include <utility>

namespace understudy::proxy {
namespace {

using namespace std::chrono_literals;

constexpr Resolver::Lifetimes kLong{.refresh = 1h, .keep = 1h};

class ResolverTest : public testing::Test {
 protected:
  const Resolver::Endpoints* lookup(const char* host, const Resolver::Lifetimes& lifetimes) {
    const auto* found = resolver_.lookup(host, 80, lifetimes, waiter_);
    if (!found) resolver_.forget(waiter_);
    return found;
  }
  // Until every look-up under way has ended.
  void run() {
    io_.restart();
    io_.run();
  }
  // Lets an answer become older than a millisecond.
  static void age() { std::this_thread::sleep_for(5ms); }

  boost::asio::io_context io_;
  Resolver resolver_{io_};
  Waiter waiter_;
};

TEST_F(ResolverTest, TakesAnAddressAsItIs) {
  for (const char* literal : {"127.0.0.1", "::1", "[::1]"}) {
    ASSERT_NE(lookup(literal, kLong), nullptr) << literal;
    age();
    EXPECT_NE(lookup(literal, {.refresh = 1ms, .keep = 1ms}), nullptr) << "it does not age";
  }
  EXPECT_EQ(io_.poll(), 0U) << "nothing was looked up";
}

TEST_F(ResolverTest, RemembersAnAnswer) {
  EXPECT_EQ(lookup("localhost", kLong), nullptr);
  run();
  ASSERT_NE(lookup("localhost", kLong), nullptr);
  EXPECT_TRUE(lookup("localhost", kLong)->front().address().is_loopback());
}

TEST_F(ResolverTest, UsesAnOldAnswerWhileItRenewsIt) {
  lookup("localhost", kLong);
  run();
  age();
  EXPECT_NE(lookup("localhost", {.refresh = 1ms, .keep = 1h}), nullptr);
  io_.restart();
  EXPECT_GT(io_.run(), 0U) << "a look-up was under way";
}

TEST_F(ResolverTest, UsesNoAnswerThatIsTooOldToKeep) {
  lookup("localhost", kLong);
  run();
  age();
  EXPECT_EQ(lookup("localhost", {.refresh = 1ms, .keep = 1ms}), nullptr);
  run();
  EXPECT_NE(lookup("localhost", kLong), nullptr) << "it was looked up again";
}

// --- When the look-up fails

// The test says what comes of each look-up.
class AnsweredResolver final : public Resolver {
 public:
  using Resolver::Resolver;
  void answer(boost::system::error_code error, Endpoints found = {}) {
    --under_way;
    ended("bedrock.test", 80, error, std::move(found));
  }
  int under_way = 0;

 private:
  void look_up(const std::string&, std::uint16_t) override { ++under_way; }
};

class FailingResolverTest : public testing::Test {
 protected:
  using Endpoint = boost::asio::ip::tcp::endpoint;

  const Resolver::Endpoints* lookup(const Resolver::Lifetimes& lifetimes) {
    const auto* found = resolver_.lookup("bedrock.test", 80, lifetimes, waiter_);
    if (!found) resolver_.forget(waiter_);
    return found;
  }
  static void age() { std::this_thread::sleep_for(5ms); }

  const boost::system::error_code not_found_ = boost::asio::error::host_not_found;
  const Endpoint first_{boost::asio::ip::make_address("127.0.0.1"), 80};
  const Endpoint second_{boost::asio::ip::make_address("127.0.0.2"), 80};
  const Resolver::Lifetimes old_but_kept_{.refresh = 1ms, .keep = 1h};
  boost::asio::io_context io_;
  AnsweredResolver resolver_{io_};
  Waiter waiter_;
};

TEST_F(FailingResolverTest, KeepsTheLastGoodAddressesWhileLookUpsFail) {
  lookup(kLong);
  resolver_.answer({}, {first_});
  age();
  for (int turn = 0; turn < 3; ++turn) {
    const auto* found = lookup(old_but_kept_);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(*found, Resolver::Endpoints{first_});
    ASSERT_EQ(resolver_.under_way, 1) << "it tries again, once at a time";
    EXPECT_NE(lookup(old_but_kept_), nullptr);
    EXPECT_EQ(resolver_.under_way, 1);
    // No address at all is no answer either.
    resolver_.answer(turn == 1 ? boost::system::error_code{} : not_found_);
  }
  lookup(old_but_kept_);
  resolver_.answer({}, {second_});
  EXPECT_EQ(*lookup(kLong), Resolver::Endpoints{second_}) << "the next good answer replaces them";
}

TEST_F(FailingResolverTest, KeepsThemNoLongerThanItMayAndTellsWhyThereAreNone) {
  lookup(kLong);
  resolver_.answer({}, {first_});
  age();
  lookup(old_but_kept_);
  resolver_.answer(not_found_);
  EXPECT_EQ(lookup({.refresh = 1ms, .keep = 1ms}), nullptr)
      << "a look-up that failed makes nothing younger";
  resolver_.answer(not_found_);
  EXPECT_EQ(resolver_.problem("bedrock.test", 80), not_found_.message());
  lookup({.refresh = 1ms, .keep = 1ms});
  resolver_.answer({}, {second_});
  EXPECT_EQ(*lookup(kLong), Resolver::Endpoints{second_});
}

// Two who wait for one name, and the one who goes on ends the other: one client's streams, say.
TEST_F(FailingResolverTest, WakesNobodyWhoGaveUpWhenAnotherWasWoken) {
  const auto wait = [](Waiter& waiter) -> Task<void> { co_await waiter.wait(); };
  std::array<std::unique_ptr<Waiter>, 2> waiting{std::make_unique<Waiter>(),
                                                 std::make_unique<Waiter>()};
  int woken = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(resolver_.lookup("bedrock.test", 80, kLong, *waiting[i]), nullptr);
    spawn(io_, wait(*waiting[i]), [&, i](std::exception_ptr) {
      ++woken;
      auto& other = waiting[1 - i];
      if (other) resolver_.forget(*other);
      other.reset();
    });
  }
  io_.poll();
  resolver_.answer(not_found_);
  io_.restart();
  io_.poll();
  EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace understudy::proxy
