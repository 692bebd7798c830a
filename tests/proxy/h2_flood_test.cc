#include "proxy/h2_flood.h"

#include <gtest/gtest.h>

namespace understudy::proxy {
namespace {

using namespace std::chrono_literals;

class H2Flood : public testing::Test {
 protected:
  // How many of them pass at one moment.
  std::size_t passing(H2Frame frame, std::size_t at_most = 10'000) {
    std::size_t passed = 0;
    while (passed < at_most && guard_.received(frame, now_).empty()) ++passed;
    return passed;
  }

  routing::Http2Limits limits_;
  H2FloodGuard::TimePoint now_{1h};
  H2FloodGuard guard_{limits_, now_};
};

TEST_F(H2Flood, PingsSettingsAndResetsHaveABucketThatRefills) {
  EXPECT_EQ(passing(H2Frame::ping), limits_.pings.burst);
  EXPECT_EQ(passing(H2Frame::settings), limits_.settings.burst);
  EXPECT_EQ(passing(H2Frame::reset), limits_.resets_received.burst);
  now_ += 2s;
  EXPECT_EQ(passing(H2Frame::ping), 2 * limits_.pings.per_second);
  EXPECT_EQ(passing(H2Frame::settings), 2 * limits_.settings.per_second);
  EXPECT_EQ(passing(H2Frame::reset), 2 * limits_.resets_received.per_second);
  now_ += 24h;
  EXPECT_EQ(passing(H2Frame::ping), limits_.pings.burst);
}

TEST_F(H2Flood, ResetsSentHaveABucketOfTheirOwn) {
  std::size_t passed = 0;
  while (guard_.reset_sent(now_).empty()) ++passed;
  EXPECT_EQ(passed, limits_.resets_sent.burst);
  EXPECT_EQ(guard_.reset_sent(now_), "resets_sent");
  EXPECT_EQ(guard_.reset_sent(now_ + 1s), "");
}

TEST_F(H2Flood, PrioritiesGrowWithTheStreams) {
  EXPECT_EQ(passing(H2Frame::priority), 100u);
  guard_.stream_opened();
  guard_.stream_opened();
  EXPECT_EQ(passing(H2Frame::priority), 200u - 1u);
  EXPECT_EQ(guard_.received(H2Frame::priority, now_), "max_priorities_per_stream");
}

TEST_F(H2Flood, WindowUpdatesGrowWithStreamsAndDataSent) {
  EXPECT_EQ(passing(H2Frame::window_update), 5u);
  guard_.stream_opened();
  for (int i = 0; i < 10; ++i) guard_.data_sent();
  EXPECT_EQ(passing(H2Frame::window_update), 2u + 2u * 10u * 10u - 1u);
}

TEST_F(H2Flood, EmptyDataCountsInARow) {
  EXPECT_EQ(passing(H2Frame::empty_data), limits_.max_empty_data);
  EXPECT_EQ(guard_.received(H2Frame::data, now_), "");
  EXPECT_EQ(passing(H2Frame::empty_data), limits_.max_empty_data);
}

TEST_F(H2Flood, UnknownFramesAndGlitchesCountForTheWholeConnection) {
  EXPECT_EQ(passing(H2Frame::unknown), limits_.max_unknown_frames);
  now_ += 24h;
  EXPECT_EQ(passing(H2Frame::unknown), 0u);
  std::size_t passed = 0;
  while (guard_.glitch().empty()) ++passed;
  EXPECT_EQ(passed, limits_.max_glitches);
}

TEST_F(H2Flood, FollowsLimitsThatChange) {
  limits_.max_unknown_frames = 3;
  EXPECT_EQ(passing(H2Frame::unknown), 3u);
}

}  // namespace
}  // namespace understudy::proxy
