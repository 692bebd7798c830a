#include "metrics/statistics/betting.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "metrics/evidence/gate_counts.h"

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
  EXPECT_EQ(GateCounts{.values = counts}.total(), 344u);
  EXPECT_NEAR(log_e(counts, Null::mean_at_most, .5), -.391984, 5e-7);
  EXPECT_NEAR(log_e(counts, Null::mean_at_least, .55), 29.709453, 5e-7);
  const Interval mean = confidence_sequence(counts, .05);
  EXPECT_NEAR(mean.low, .487437, 5e-7);
  EXPECT_NEAR(mean.high, .512563, 5e-7);
  EXPECT_NEAR((mean.low + mean.high) / 2.0, .5, 5e-7) << "about the counts' own mean";
}

TEST(Betting, KnowsNothingBeforeItHasSeenAnything) {
  const Flags none{};
  EXPECT_DOUBLE_EQ(not_worse_than(0, none), 0.0);
  const Interval all = confidence_sequence(none, .05);
  EXPECT_EQ(all.low, 0.0);
  EXPECT_EQ(all.high, 1.0);
}

// Reference values that no chance is in: a failure of every request, and pairs of which none
// differs.
TEST(Betting, IsConvincedByAFailureOfEveryRequestAfterAsManyPairsAsTheReferenceTells) {
  for (const auto& [alpha, pairs] : {std::pair{.05, 7u}, {.005, 11u}, {.0001, 17u}}) {
    EXPECT_LT(not_worse_than(0, flags(pairs - 1, 0, 0)), log_threshold(alpha));
    EXPECT_GE(not_worse_than(0, flags(pairs, 0, 0)), log_threshold(alpha)) << pairs;
  }
}

TEST(Betting, GrantsSafetyWithoutADifferenceAfterAsManyPairsAsTheReferenceTells) {
  for (const auto& [margin, pairs] : {std::pair{.01, 492u}, {.02, 245u}, {.05, 97u}}) {
    EXPECT_LT(worse_by(margin, flags(0, 0, pairs - 1)), log_threshold(.05));
    EXPECT_GE(worse_by(margin, flags(0, 0, pairs)), log_threshold(.05)) << pairs;
  }
}

// The median of pairs, of `runs`, until `rejects`; both sides are bad by `noise`, the candidate by
// `more` beside.
template <typename Rejects>
double median_pairs(double more, double noise, int runs, const Rejects& rejects) {
  std::mt19937_64 random(17);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  std::vector<double> found;
  for (int run = 0; run < runs; ++run) {
    Flags counts{};
    int pairs = 0;
    while (!rejects(counts) && ++pairs < 20'000) {
      const double at = uniform(random);  // +1, -1, or 0
      ++counts[at < noise + more ? 2U : at < 2.0 * noise + more ? 0U : 1U];
    }
    found.push_back(pairs);
  }
  std::ranges::nth_element(found, found.begin() + runs / 2);
  return found[static_cast<std::size_t>(runs / 2)];
}

// The rest of that table is simulated; 60 runs tell a median within a fifth or so.
TEST(Betting, TakesAboutAsManyPairsAsTheReferenceTells) {
  const Bets not_worse(Null::mean_at_most, .5, kFlagValues);
  const auto alarms_at = [&](double alpha) {
    return [&not_worse, worth = log_threshold(alpha)](const Flags& counts) {
      return not_worse.log_e(ValueCounts(counts), worth) >= worth;
    };
  };
  EXPECT_NEAR(median_pairs(.02, .002, 60, alarms_at(.05)), 376, 75);
  EXPECT_NEAR(median_pairs(.05, .002, 60, alarms_at(.005)), 238, 48);
  EXPECT_NEAR(median_pairs(.05, .002, 60, alarms_at(.0001)), 346, 69);
  EXPECT_NEAR(median_pairs(.30, .002, 60, alarms_at(.0001)), 56, 11);
  EXPECT_NEAR(median_pairs(.10, .05, 60, alarms_at(.05)), 160, 50);
  const Bets worse(Null::mean_at_least, mean_of_difference(.01), kFlagValues);
  const auto safe = [&](const Flags& counts) {
    return worse.log_e(ValueCounts(counts), log_threshold(.05)) >= log_threshold(.05);
  };
  EXPECT_NEAR(median_pairs(0, .005, 60, safe), 1031, 250);
}

// A candidate that takes 40 % longer, pairs as even as they come: ln of the ratio is normal with
// .21.
TEST(Betting, SeesAFortyPerCentLongerLatencyAsTheReferenceTells) {
  const auto pairs_of = [](int pairs) {
    std::array<std::uint64_t, kRatioValues> counts{};
    int before = 0;
    for (std::size_t k = 0; k < kRatioValues; ++k) {
      const double upper = ratio_of_mean((static_cast<double>(k) + .5) / (kRatioValues - 1.0));
      const double z = (std::log(upper) - std::log(1.4)) / .21;
      const int below = static_cast<int>(std::lround(pairs * .5 * std::erfc(-z / std::sqrt(2.0))));
      counts[k] = static_cast<std::uint64_t>(below - before);
      before = below;
    }
    return counts;
  };
  const auto slower = [](const auto& counts) {
    return log_e(counts, Null::mean_at_most, mean_of_ratio(1.10));
  };
  EXPECT_NEAR(slower(pairs_of(50)), 4.98, .6);
  EXPECT_NEAR(slower(pairs_of(100)), 12.43, 1.0);
  const Interval of = confidence_sequence(pairs_of(400), .05);
  EXPECT_NEAR(ratio_of_mean(of.low), 1.355, .006);
  EXPECT_NEAR(ratio_of_mean(of.high), 1.451, .006);
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
  const std::array<double, 3> good{0, 1, 0}, bad{0, .5, .5}, none{};
  const auto more = [&](const Flags& counts, const std::array<double, 3>& rates) {
    return more_to_reject(counts, rates, Null::mean_at_least, mean, .05);
  };
  const auto needed = more(seen, good);
  ASSERT_TRUE(needed);
  EXPECT_GT(*needed, 100.0);
  const auto good_pairs = static_cast<std::uint64_t>(std::ceil(*needed));
  EXPECT_GE(worse_by(.01, flags(1, 1, 298 + good_pairs)), log_threshold(.05));
  EXPECT_LT(worse_by(.01, flags(1, 1, 298 + good_pairs - 1)), log_threshold(.05));
  EXPECT_EQ(more(flags(0, 0, 5'000), good), 0.0);
  EXPECT_FALSE(more(seen, bad)) << "it is worse: no number of pairs makes it safe";
  EXPECT_FALSE(more(flags(0, 0, 0), none));
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
