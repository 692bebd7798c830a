#include "metrics/statistics/rate_sequences.h"

#include <gtest/gtest.h>

#include <random>

namespace understudy::metrics {
namespace {

constexpr double kDigits = 5e-7;

// Of 1,000 pairs 18 got worse, 4 got better, 978 did not differ.
TEST(RateSequences, OfPairsAreTheEnginesOwn) {
  const Interval of = paired_difference_sequence({4, 1000}, {18, 1000}, 22);
  EXPECT_NEAR(of.low, -.000571, kDigits);
  EXPECT_NEAR(of.high, .032314, kDigits);
  const Interval with_both_bad = paired_difference_sequence({104, 1000}, {118, 1000}, 22);
  EXPECT_DOUBLE_EQ(with_both_bad.low, of.low) << "ties say nothing";
  EXPECT_DOUBLE_EQ(with_both_bad.high, of.high);
}

TEST(RateSequences, OfPairsWidenWhereMoreDiffersThanWasBad) {
  const Interval told = paired_difference_sequence({4, 1000}, {18, 1000}, 22);
  const Interval more = paired_difference_sequence({4, 1000}, {18, 1000}, 122);
  EXPECT_LT(more.low, told.low);
  EXPECT_GT(more.high, told.high);
}

TEST(RateSequences, OfUnlikeSamplesHoldTheDifferenceAndAreWiderThanThoseOfPairs) {
  const Interval of = difference_sequence({5, 1000}, {20, 1000});
  EXPECT_LT(of.low, .015);
  EXPECT_GT(of.high, .015);
  EXPECT_LT(of.low, paired_difference_sequence({5, 1000}, {20, 1000}, 25).low);
}

TEST(RateSequences, KnowNothingWithoutCounts) {
  const Interval none = difference_sequence({0, 0}, {0, 0});
  EXPECT_DOUBLE_EQ(none.low, -1.0);
  EXPECT_DOUBLE_EQ(none.high, 1.0);
  const Interval paired = paired_difference_sequence({0, 0}, {0, 0}, 0);
  EXPECT_DOUBLE_EQ(paired.low, -1.0);
  EXPECT_DOUBLE_EQ(paired.high, 1.0);
}

TEST(RateSequences, BearCountsThatAreReadWhileTheyGrow) {
  const Interval odd = difference_sequence({3, 2}, {0, 2});
  EXPECT_LE(odd.low, odd.high);
  const Interval paired = paired_difference_sequence({0, 2}, {5, 2}, 1);
  EXPECT_LE(paired.low, paired.high);
}

// Two equal rates, looked at again and again.
TEST(RateSequences, HoldHoweverOftenOneLooks) {
  constexpr int kRuns = 50;
  int left = 0;
  for (int run = 0; run < kRuns; ++run) {
    std::mt19937_64 random(static_cast<std::uint64_t>(run));
    std::bernoulli_distribution bad(.05);
    Proportion before, after;
    bool outside = false;
    for (int pair = 0; pair < 1'000 && !outside; ++pair) {
      before.hits += bad(random) ? 1 : 0;
      after.hits += bad(random) ? 1 : 0;
      ++before.total, ++after.total;
      if (pair % 50 != 49) continue;
      const Interval of = difference_sequence(before, after);
      outside = of.low > 0.0 || of.high < 0.0;
    }
    left += outside ? 1 : 0;
  }
  EXPECT_LE(left, 2);
}

}  // namespace
}  // namespace understudy::metrics
