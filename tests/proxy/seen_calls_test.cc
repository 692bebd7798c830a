#include "proxy/seen_calls.h"

#include <gtest/gtest.h>

#include <string>

namespace understudy::proxy {
namespace {

using namespace std::chrono_literals;
const auto kStart = std::chrono::steady_clock::time_point{} + 1h;

TEST(SeenCalls, KnowsACallAgain) {
  SeenCalls seen;
  EXPECT_TRUE(seen.first_time("a", kStart));
  EXPECT_TRUE(seen.first_time("b", kStart));
  EXPECT_FALSE(seen.first_time("a", kStart + 1s));
  EXPECT_FALSE(seen.first_time("b", kStart + SeenCalls::kMaxAge));
}

TEST(SeenCalls, ForgetsWhatIsOld) {
  SeenCalls seen;
  EXPECT_TRUE(seen.first_time("a", kStart));
  EXPECT_TRUE(seen.first_time("a", kStart + SeenCalls::kMaxAge + 1s));
  EXPECT_FALSE(seen.first_time("a", kStart + SeenCalls::kMaxAge + 2s));
}

TEST(SeenCalls, ForgetsTheOldestWhereThereAreTooMany) {
  SeenCalls seen;
  for (std::size_t i = 0; i < SeenCalls::kMaxCalls + 10; ++i)
    EXPECT_TRUE(seen.first_time(std::to_string(i), kStart));
  EXPECT_FALSE(seen.first_time(std::to_string(SeenCalls::kMaxCalls), kStart));
  EXPECT_TRUE(seen.first_time("0", kStart));
}

}  // namespace
}  // namespace understudy::proxy
