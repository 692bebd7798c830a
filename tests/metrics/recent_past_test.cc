#include "metrics/evidence/recent_past.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>

namespace understudy::metrics {
namespace {

constexpr std::int64_t kHour = 497'224;

PairMarks good_pair() {
  PairMarks marks{};
  for (GateMark& mark : marks) {
    mark.value = 1;
    mark.candidate_seen = mark.primary_seen = true;
  }
  return marks;
}

std::uint64_t pairs(const SpanCounts& counts) {
  return counts.gate(0).candidate_pairs;
}

TEST(RecentPast, KeepsYoungHoursApartAndJoinsOldOnes) {
  RecentPast past;
  for (std::int64_t hour = kHour; hour < kHour + 100; ++hour) past.add(hour, good_pair());
  const auto& spans = past.spans();
  EXPECT_EQ(spans.back().begin, kHour + 99);
  EXPECT_EQ(spans.back().hours, 1);
  EXPECT_GT(spans.front().hours, 8);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    EXPECT_EQ(spans[i].begin % spans[i].hours, 0);
    // One is a quarter of its age at most, so that little good dilutes what is bad.
    const std::int64_t end = spans[i].begin + spans[i].hours;
    if (spans[i].hours > 1) {
      EXPECT_GE(kHour + 99 - end, 4 * spans[i].hours);
    }
    if (i > 0) {
      EXPECT_GE(spans[i].begin, spans[i - 1].begin + spans[i - 1].hours);
    }
  }
  EXPECT_EQ(pairs(past.since(0)), 100u);
  EXPECT_EQ(pairs(past.since(kHour + 95)), 5u);
}

TEST(RecentPast, KeepsABoundedNumberOfSpansHoweverLongItLasts) {
  RecentPast past;
  std::size_t most = 0;
  for (std::int64_t hour = kHour; hour < kHour + 5'000; ++hour) {
    past.add(hour, good_pair());
    most = std::max(most, past.spans().size());
  }
  EXPECT_LE(most, RecentPast::kMaxSpans);
  EXPECT_GE(pairs(past.since(0)), 240u);
  EXPECT_LE(pairs(past.since(0)), 240u + 2 * 32u);
  EXPECT_LE(sizeof(SpanCounts), 700u);
}

TEST(RecentPast, ForgetsWhatIsLongPast) {
  RecentPast past;
  past.add(kHour, good_pair());
  past.add(kHour + 1'000, good_pair());
  EXPECT_EQ(past.spans().size(), 1u);
}

TEST(RecentPast, CountsInTheNewestHourWhereTheClockGoesBack) {
  RecentPast past;
  past.add(kHour, good_pair());
  past.add(kHour - 3, good_pair());
  ASSERT_EQ(past.spans().size(), 1u);
  EXPECT_EQ(pairs(past.spans().front().counts), 2u);
}

// Two proxies see the same hours; one of them may have been idle.
TEST(RecentPast, AddsUpToWhatOneWouldHaveCounted) {
  std::minstd_rand random(5);
  for (int round = 0; round < 50; ++round) {
    RecentPast all, first, second;
    std::int64_t hour = kHour;
    for (int i = 0; i < 200; ++i) {
      hour += static_cast<std::int64_t>(random() % 4);
      all.add(hour, good_pair());
      (random() % 3 == 0 ? first : second).add(hour, good_pair());
    }
    RecentPast turned = second;
    turned.merge(first);
    first.merge(second);
    EXPECT_EQ(first, all);
    EXPECT_EQ(turned, all);
  }
}

TEST(RecentPast, TakesOnlySpansInOrder) {
  RecentPast past;
  EXPECT_TRUE(past.set_spans({{kHour, 4, {}}, {kHour + 4, 1, {}}}));
  const RecentPast before = past;
  EXPECT_FALSE(past.set_spans({{kHour, 4, {}}, {kHour + 3, 1, {}}}));
  EXPECT_FALSE(past.set_spans({{kHour, 0, {}}}));
  EXPECT_FALSE(past.set_spans({{kHour, 64, {}}}));
  EXPECT_FALSE(past.set_spans({{std::numeric_limits<std::int64_t>::max(), 1, {}}}));
  EXPECT_FALSE(past.set_spans(std::vector<HourSpan>(RecentPast::kMaxSpans + 1)));
  EXPECT_EQ(past, before);
}

TEST(SpanCounts, RefusesWhatDoesNotFit) {
  SpanCounts span;
  GateCounts counts;
  counts.values[1] = std::uint64_t{1} << 32;
  EXPECT_FALSE(span.set_gate(0, counts));
  EXPECT_EQ(span, SpanCounts{});
  counts.values[1] = 7;
  counts.primary_bad = 3;
  EXPECT_TRUE(span.set_gate(0, counts));
  EXPECT_EQ(span.gate(0), counts);
}

}  // namespace
}  // namespace understudy::metrics
