#include "metrics/statistics/quantiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace understudy::metrics {
namespace {

void expect_ranks(std::uint64_t n, double p, std::uint64_t low, std::uint64_t high) {
  const RankBounds ranks = quantile_ranks(n, p, .05);
  EXPECT_EQ(ranks.low, low) << n << " " << p;
  EXPECT_EQ(ranks.high, high) << n << " " << p;
}

TEST(Quantiles, RankBoundsMatchTheCheckValues) {
  expect_ranks(1000, .95, 926, 970);
  expect_ranks(5000, .95, 4694, 4802);
  expect_ranks(1000, .5, 449, 551);
  expect_ranks(2000, .99, 1962, 1992);
  EXPECT_NEAR(log_quantile_e(60, 1000, .05), -1.562310, 5e-7);
  EXPECT_NEAR(log_quantile_e(80, 1000, .05), 5.332168, 5e-7);
}

TEST(Quantiles, RankBoundsOfNothingAreNothing) {
  expect_ranks(0, .5, 0, 0);
}

TEST(TimeSketch, MatchesTheCheckValues) {
  EXPECT_EQ(TimeSketch::key_of(1000), 346u);
  EXPECT_NEAR(TimeSketch::value_of(346), 1002.43, .005);
  EXPECT_EQ(TimeSketch::key_of(600'000), TimeSketch::kBuckets - 1);
}

// gamma is 1.020202: a bucket ends that much above the one before.
TEST(TimeSketch, HasBucketsThatGrowAsTheReferenceTells) {
  EXPECT_NEAR(TimeSketch::value_of(347) / TimeSketch::value_of(346), 1.020202, 5e-7);
}

TEST(TimeSketch, StaysWithinOnePercent) {
  TimeSketch sketch;
  for (int i = 1; i <= 10'000; ++i) sketch.add(i * 10.0);
  for (const double p : {.01, .5, .95, .99}) {
    const double exact = std::ceil(p * 10'000) * 10.0;
    EXPECT_NEAR(*sketch.quantile(p) / exact, 1.0, .0101) << p;
  }
}

TEST(TimeSketch, TakesWhatLiesOutsideForTheNearest) {
  TimeSketch sketch;
  sketch.add(0.0);
  sketch.add(-3.0);
  sketch.add(std::nan(""));
  sketch.add(1e30);
  EXPECT_EQ(sketch.count(), 4u);
  EXPECT_EQ(sketch.buckets().front(), 3u);
  EXPECT_EQ(sketch.buckets().back(), 1u);
}

TEST(TimeSketch, AddsUp) {
  TimeSketch all, a, b;
  std::mt19937_64 random(5);
  std::lognormal_distribution<double> times(7.0, 1.0);
  for (int i = 0; i < 2'000; ++i) {
    const double time = times(random);
    all.add(time);
    (i % 3 == 0 ? a : b).add(time);
  }
  a.merge(b);
  EXPECT_EQ(a.buckets(), all.buckets());
  TimeSketch loaded;
  loaded.set_buckets(all.buckets());
  EXPECT_EQ(loaded.count(), 2'000u);
  EXPECT_EQ(loaded.quantile(.95), all.quantile(.95));
}

TEST(TimeSketch, BoundsAQuantileOnceItHasSeenEnough) {
  TimeSketch sketch;
  EXPECT_FALSE(sketch.quantile(.5));
  EXPECT_FALSE(sketch.quantile_bounds(.5, .05));
  for (int i = 1; i <= 1'000; ++i) sketch.add(1'000.0 + i);
  const auto bounds = sketch.quantile_bounds(.5, .05);
  ASSERT_TRUE(bounds);
  EXPECT_LT(bounds->low, 1'500.0);
  EXPECT_GT(bounds->high, 1'500.0);
  EXPECT_LT(bounds->high - bounds->low, 150.0);
}

TEST(TimeSketch, BoundsWhatWasAddedAndNotTheMiddleOfItsBucket) {
  TimeSketch sketch;
  for (const double time : {1'012.5, 1'097.5, 3.0, 420'000.0}) {
    sketch = {};
    for (int i = 0; i < 1'000; ++i) sketch.add(time);
    const auto bounds = sketch.quantile_bounds(.95, .05);
    ASSERT_TRUE(bounds) << time;
    EXPECT_LE(bounds->low, time);
    EXPECT_GE(bounds->high, time);
    EXPECT_NEAR(bounds->high / bounds->low, 1.020202, 5e-7) << "one bucket";
  }
}

TEST(TimeSketch, KnowsNoEndOfItsLastBucketAndNoBeginOfItsFirst) {
  TimeSketch fast, slow;
  for (int i = 0; i < 1'000; ++i) {
    fast.add(0.2);
    slow.add(2e6);
  }
  EXPECT_EQ(fast.quantile_bounds(.5, .05)->low, 0.0);
  EXPECT_EQ(fast.quantile_bounds(.5, .05)->high, 1.0);
  EXPECT_TRUE(std::isinf(slow.quantile_bounds(.5, .05)->high));
  EXPECT_NEAR(slow.quantile_bounds(.5, .05)->low, 598'000.0, 2'000.0);
}

}  // namespace
}  // namespace understudy::metrics
