// By the name "localhost", which needs no network.

#include "proxy/resolver.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <thread>

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

}  // namespace
}  // namespace understudy::proxy
