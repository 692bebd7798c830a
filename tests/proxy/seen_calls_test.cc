#include "proxy/seen_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace understudy::proxy {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

const auto kStart = std::chrono::steady_clock::time_point{} + 1h;
constexpr const char* kForgotten = "understudy_refused_total{limit=\"max_seen_calls\"} ";

class SeenCallsTest : public testing::Test {
 protected:
  SeenCallsTest() {
    limits_.max_seen_calls = 100;
    limits_.seen_calls_for = 15min;
  }
  bool first_time(const std::string& id, std::chrono::milliseconds later = 0ms) {
    return seen_.first_time(id, kStart + later, limits_);
  }

  routing::LimitsConfig limits_;
  const std::unique_ptr<metrics::Recorder> recorder_ = metrics::make_prometheus_recorder();
  SeenCalls seen_{*recorder_};
};

TEST_F(SeenCallsTest, KnowsACallAgain) {
  EXPECT_TRUE(first_time("a"));
  EXPECT_TRUE(first_time("b"));
  EXPECT_FALSE(first_time("a", 1s));
  EXPECT_FALSE(first_time("b", 15min));
}

TEST_F(SeenCallsTest, ForgetsWhatIsOld) {
  EXPECT_TRUE(first_time("a"));
  EXPECT_TRUE(first_time("a", 15min + 1s));
  EXPECT_FALSE(first_time("a", 15min + 2s));
  EXPECT_THAT(recorder_->render(), Not(HasSubstr(kForgotten))) << "its time was over";
}

TEST_F(SeenCallsTest, ForgetsTheOldestWhereThereAreTooManyAndCountsIt) {
  for (int i = 0; i < 110; ++i) EXPECT_TRUE(first_time(std::to_string(i)));
  EXPECT_THAT(recorder_->render(), HasSubstr(std::string(kForgotten) + "10\n"));
  EXPECT_FALSE(first_time("100"));
  EXPECT_TRUE(first_time("0"));
}

TEST_F(SeenCallsTest, FollowsAChangeOfTheLimits) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(first_time(std::to_string(i)));
  limits_.max_seen_calls = 10;
  EXPECT_FALSE(first_time("99"));
  EXPECT_TRUE(first_time("50"));
}

}  // namespace
}  // namespace understudy::proxy
