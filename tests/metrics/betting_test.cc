#include "metrics/statistics/betting.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <vector>

namespace understudy::metrics {
namespace {

using Flags = std::array<std::uint64_t, kFlagValues>;  // D = -1, 0, +1

// The reference gives its counts as D = +1, D = -1, D = 0.
Flags flags(std::uint64_t worse, std::uint64_t better, std::uint64_t same) {
  return {better, same, worse};
}

double not_worse_than(double delta, const Flags& counts) {
  return log_e(counts, Null::mean_at_most, mean_of_difference(delta));
}
double worse_by(double delta, const Flags& counts) {
  return log_e(counts, Null::mean_at_least, mean_of_difference(delta));
}

TEST(Betting, MatchesTheCheckValuesOfPairedFlags) {
  EXPECT_NEAR(not_worse_than(0, flags(18, 4, 978)), 3.360219, 5e-7);
  EXPECT_NEAR(not_worse_than(0, flags(20, 0, 980)), 11.336661, 5e-7);
  EXPECT_NEAR(not_worse_than(.01, flags(30, 2, 968)), 5.031479, 5e-7);
  EXPECT_NEAR(worse_by(.01, flags(5, 5, 990)), 2.402668, 5e-7);
  EXPECT_NEAR(worse_by(.01, flags(0, 0, 500)), 3.068128, 5e-7);
  EXPECT_NEAR(worse_by(.01, flags(25, 25, 4950)), 16.699798, 5e-7);
  EXPECT_NEAR(worse_by(.02, flags(100, 100, 1800)), 2.169423, 5e-7);
}

void expect_difference(const Flags& counts, double low, double high) {
  const Interval mean = confidence_sequence(counts, .05);
  EXPECT_NEAR(difference_of_mean(mean.low), low, 5e-7);
  EXPECT_NEAR(difference_of_mean(mean.high), high, 5e-7);
}

TEST(Betting, MatchesTheCheckValuesOfConfidenceSequences) {
  expect_difference(flags(18, 4, 978), -.000571, .032314);
  expect_difference(flags(180, 40, 9780), .009236, .019257);
  expect_difference(flags(0, 0, 1000), -.005748, .005748);
  expect_difference(flags(5, 5, 990), -.012254, .012254);
  const std::array<std::uint64_t, 2> coin{900, 100};
  const Interval plain = confidence_sequence(coin, .05);
  EXPECT_NEAR(plain.low, .070461, 5e-7);
  EXPECT_NEAR(plain.high, .135001, 5e-7);
}

TEST(Betting, MatchesTheCheckValuesOfFortyOneValues) {
  std::array<std::uint64_t, kRatioValues> counts{};
  constexpr std::array<std::uint64_t, 20> kBell{0,  1,  2,  3,  5,  8, 13, 21, 34, 55,
                                                60, 55, 34, 21, 13, 8, 5,  3,  2,  1};
  for (std::size_t i = 0; i < kBell.size(); ++i) counts[10 + i] = kBell[i];
  EXPECT_NEAR(log_e(counts, Null::mean_at_most, .5), -.391984, 5e-7);
  EXPECT_NEAR(log_e(counts, Null::mean_at_least, .55), 29.709453, 5e-7);
  const Interval mean = confidence_sequence(counts, .05);
  EXPECT_NEAR(mean.low, .487437, 5e-7);
  EXPECT_NEAR(mean.high, .512563, 5e-7);
}

TEST(Betting, KnowsNothingBeforeItHasSeenAnything) {
  const Flags none{};
  EXPECT_DOUBLE_EQ(not_worse_than(0, none), 0.0);
  const Interval all = confidence_sequence(none, .05);
  EXPECT_EQ(all.low, 0.0);
  EXPECT_EQ(all.high, 1.0);
}

// divergence reference 2.5: one certain failure is conclusive after seven pairs.
TEST(Betting, IsConvincedByAFailureOfEveryRequestAfterSevenPairs) {
  EXPECT_LT(not_worse_than(0, flags(6, 0, 0)), log_threshold(.05));
  EXPECT_GE(not_worse_than(0, flags(7, 0, 0)), log_threshold(.05));
}

TEST(Betting, RaisesNoAlarmOnNoiseHoweverOftenItIsLookedAt) {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  int alarms = 0;
  constexpr int kRuns = 200;
  for (int run = 0; run < kRuns; ++run) {
    Flags counts{};
    bool alarmed = false;
    for (int pair = 0; pair < 2'000 && !alarmed; ++pair) {
      const bool candidate = uniform(random) < .05, primary = uniform(random) < .05;
      ++counts[candidate == primary ? 1U : (candidate ? 2U : 0U)];
      alarmed = not_worse_than(0, counts) >= log_threshold(.05);
    }
    alarms += alarmed ? 1 : 0;
  }
  // At most 5 % in the long run; this many of 200 happen once in a thousand suites.
  EXPECT_LE(alarms, 20);
}

TEST(Betting, TellsHowManyMorePairsItNeedsIfAllGoesOnAsItDid) {
  const double mean = mean_of_difference(.01);
  const Flags seen = flags(1, 1, 298);
  const auto factor = factor_to_reject(seen, Null::mean_at_least, mean, .05);
  ASSERT_TRUE(factor);
  EXPECT_GT(*factor, 1.0);
  const auto grown = [&](double by) {
    Flags more = seen;
    for (auto& count : more)
      count = static_cast<std::uint64_t>(std::ceil(static_cast<double>(count) * by));
    return log_e(more, Null::mean_at_least, mean);
  };
  EXPECT_GE(grown(std::ceil(*factor)), log_threshold(.05));
  EXPECT_EQ(factor_to_reject(flags(0, 0, 5'000), Null::mean_at_least, mean, .05), 1.0);
  EXPECT_FALSE(factor_to_reject(flags(50, 0, 50), Null::mean_at_least, mean, .05))
      << "it is worse: no number of pairs makes it safe";
  EXPECT_FALSE(factor_to_reject(flags(0, 0, 0), Null::mean_at_least, mean, .05));
}

TEST(Betting, AddsUpWhateverTheOrderAndTheThread) {
  const Flags first = flags(3, 1, 100), second = flags(9, 2, 400);
  Flags both{};
  for (std::size_t k = 0; k < both.size(); ++k) both[k] = first[k] + second[k];
  EXPECT_EQ(both, flags(12, 3, 500));
  EXPECT_DOUBLE_EQ(not_worse_than(0, both), not_worse_than(0, flags(12, 3, 500)));
}

TEST(Betting, ReadsRatiosBackFromTheirMeans) {
  EXPECT_EQ(value_of_ratio(1.0), 20u);
  EXPECT_EQ(value_of_ratio(4.0), 40u);
  EXPECT_EQ(value_of_ratio(1000.0), 40u);
  EXPECT_EQ(value_of_ratio(.001), 0u);
  for (const double ratio : {.5, .9, 1.0, 1.1, 1.25, 3.0}) {
    EXPECT_NEAR(ratio_of_mean(mean_of_ratio(ratio)), ratio, 1e-12);
  }
  EXPECT_EQ(value_of_difference(0.0), 20u);
  EXPECT_EQ(value_of_difference(1.0), 40u);
  EXPECT_EQ(value_of_difference(-2.0), 0u);
}

}  // namespace
}  // namespace understudy::metrics
