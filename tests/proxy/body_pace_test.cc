#include "proxy/body_pace.h"

#include <gtest/gtest.h>

namespace understudy::proxy {
namespace {

using namespace std::chrono_literals;

class BodyPaceTest : public testing::Test {
 protected:
  BodyPaceTest() {
    limits_.body_idle_timeout = 30s;
    limits_.min_body_bytes_per_second = 1024;
    limits_.body_rate_grace = 10s;
  }

  std::chrono::milliseconds patience(std::size_t received, std::chrono::milliseconds since) {
    return pace_.patience(received, began_ + since);
  }

  routing::LimitsConfig limits_;
  const BodyPace::Clock::time_point began_{1h};
  BodyPace pace_{limits_, began_};
};

TEST_F(BodyPaceTest, GivesEveryBodyItsGrace) {
  EXPECT_EQ(patience(0, 0s), 10s);
  EXPECT_EQ(patience(0, 4s), 6s);
  EXPECT_STREQ(pace_.limit(), "min_body_bytes_per_second");
}

TEST_F(BodyPaceTest, LetsWhatHasComePayForTime) {
  EXPECT_EQ(patience(2048, 4s), 8s);
  EXPECT_EQ(patience(5 * 1024, 15s), 0s);
  EXPECT_EQ(patience(5 * 1024, 20s), 0s) << "not negative";
}

TEST_F(BodyPaceTest, AllowsNoPauseBeyondTheIdleTimeout) {
  EXPECT_EQ(patience(10 << 20, 1s), 30s);
  EXPECT_STREQ(pace_.limit(), "body_idle_timeout");
}

TEST_F(BodyPaceTest, HasNoRateWhereTheConfigWantsNone) {
  limits_.min_body_bytes_per_second = 0;
  EXPECT_EQ(patience(0, 1h), 30s);
}

}  // namespace
}  // namespace understudy::proxy
