// Reference values of textbook formulas that no code of production needs.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "bench/detectors/random.h"
#include "metrics/statistics/betting.h"
#include "tests/metrics/textbook_bounds.h"

namespace understudy::bench {
namespace {

constexpr std::array kX{1.2, 1.5, 2., 2., 2.2, 3.1, 3.3, 4.};
constexpr std::array kY{1.9, 2., 2.5, 3.5, 3.6, 4.1, 4.4, 5., 6.};

TEST(FixedHorizon, NewcombeOfPairsMatches) {
  const Interval of = newcombe_paired({3, 18, 4, 975});
  EXPECT_NEAR(of.low, .004745, 5e-7);
  EXPECT_NEAR(of.high, .024777, 5e-7);
}

TEST(FixedHorizon, McNemarMatches) {
  const McNemar of = mcnemar_exact({3, 18, 4, 975});
  EXPECT_NEAR(of.one_sided, .00217175, 5e-9);
  EXPECT_NEAR(of.two_sided, .00434351, 5e-9);
  EXPECT_NEAR(of.mid_p, .00129974, 5e-9);
}

TEST(FixedHorizon, MannWhitneyMatches) {
  const MannWhitney of = mann_whitney(kX, kY);
  EXPECT_DOUBLE_EQ(of.u, 16.0);
  EXPECT_NEAR(of.z, 1.881004, 5e-7);
  EXPECT_NEAR(of.p, .059971, 5e-7);
  EXPECT_NEAR(of.cles, .222222, 5e-7);
}

TEST(FixedHorizon, KolmogorovSmirnovMatches) {
  const KolmogorovSmirnov of = kolmogorov_smirnov({kX.begin(), kX.end()}, {kY.begin(), kY.end()});
  EXPECT_NEAR(of.d, .541667, 5e-7);
  EXPECT_NEAR(of.p, .107648, 5e-7);
}

TEST(FixedHorizon, EmpiricalBernsteinMatches) {
  std::vector<double> values;
  for (int i = 1; i <= 200; ++i) values.push_back((37 * i % 100) / 100.0);
  const BernsteinSequence of = empirical_bernstein(values, .05);
  EXPECT_NEAR(of.centre, .4958428, 5e-8);
  EXPECT_NEAR(of.half, .0711175, 5e-8);
  values.clear();
  for (int i = 1; i <= 1000; ++i) values.push_back(i % 10 == 0 ? 1.0 : 0.0);
  const BernsteinSequence tenth = empirical_bernstein(values, .05);
  EXPECT_NEAR(tenth.centre - tenth.half, .065247, 5e-7);
  EXPECT_NEAR(tenth.centre + tenth.half, .134351, 5e-7);
}

TEST(FixedHorizon, AsymptoticSequenceAndSequentialRatioMatch) {
  const double rho = asymptotic_rho(1000, .05);
  EXPECT_NEAR(rho, .0890851, 5e-8);
  EXPECT_NEAR(asymptotic_half(.3, 1000, rho, .05), .0287945, 5e-8);
  EXPECT_NEAR(asymptotic_half(.3, 5000, rho, .05), .0133772, 5e-8);
  EXPECT_NEAR(log_msprt(1000, .014, .021804, 1e-4), 2.829857, 5e-7);
}

TEST(FixedHorizon, SampleSizesMatch) {
  constexpr double kAlpha = 1.644854, kTwoSided = 1.959964, kPower = .841621, kMore = 1.281552;
  const auto unpaired = [](double p, double power) {
    return std::ceil(unpaired_sample(p, p + .01, kAlpha, power));
  };
  struct Row {
    double rate, of_80, of_90, two_sided;
  };
  for (const Row& row :
       {Row{.001, 737, 1020, 936}, Row{.005, 1224, 1694, 1553}, Row{.01, 1826, 2529, 2319},
        Row{.05, 6426, 8901, 8158}, Row{.1, 11620, 16094, 14751}}) {
    EXPECT_NEAR(unpaired(row.rate, kPower), row.of_80, 1);
    EXPECT_NEAR(unpaired(row.rate, kMore), row.of_90, 1);
    EXPECT_NEAR(std::ceil(unpaired_sample(row.rate, row.rate + .01, kTwoSided, kPower)),
                row.two_sided, 1);
  }
  const auto paired = [](double discordant, double difference) {
    return std::ceil(paired_sample(discordant, difference, kAlpha, kPower));
  };
  EXPECT_NEAR(paired(.012, .01), 740, 1);
  EXPECT_NEAR(paired(.03, .01), 1853, 1);
  EXPECT_NEAR(paired(.11, .01), 6799, 1);
  EXPECT_NEAR(paired(.05, .02), 771, 1);
  EXPECT_NEAR(paired(.15, .05), 369, 1);
  const auto safe = [](double discordant, double margin) {
    return std::ceil(noninferiority_sample(discordant, margin, kAlpha, kPower));
  };
  EXPECT_NEAR(safe(.01, .01), 619, 1);
  EXPECT_NEAR(safe(.04, .01), 2474, 1);
  EXPECT_NEAR(safe(.1, .01), 6183, 1);
  EXPECT_NEAR(safe(.04, .02), 619, 1);
  EXPECT_NEAR(safe(.2, .05), 495, 1);
}

TEST(FixedHorizon, RandomNumbersMatch) {
  SplitMix64 random(42);
  EXPECT_EQ(random.next(), 0xbdd732262feb6e95u);
  EXPECT_EQ(random.next(), 0x28efe333b266f103u);
  EXPECT_EQ(random.next(), 0x47526757130f9f52u);
}

TEST(FixedHorizon, BootstrapBracketsAPairedDifference) {
  SplitMix64 random(3);
  std::vector<double> primary, candidate;
  for (int i = 0; i < 200; ++i) {
    primary.push_back(std::exp(7 + .5 * random.normal()));
    candidate.push_back(primary.back() * 1.4);
  }
  const Interval of = bootstrap_quantile_difference(primary, candidate, .5, 200, 42);
  std::vector<double> sorted = primary;
  std::ranges::sort(sorted);
  const double truth = .4 * quantile_type7(sorted, .5);
  EXPECT_LT(of.low, truth);
  EXPECT_GT(of.high, truth);
  EXPECT_GT(of.low, 0.0);
}

// The engine must not promise more than a bound of quite another kind, nor much less.
TEST(FixedHorizon, TheEngineAgreesWithTheEmpiricalBernsteinSequence) {
  SplitMix64 random(8);
  std::vector<double> values;
  std::array<std::uint64_t, 2> counts{};
  for (int i = 0; i < 2000; ++i) {
    values.push_back(random.chance(.3) ? 1.0 : 0.0);
    ++counts[values.back() > 0.5 ? 1 : 0];
  }
  const BernsteinSequence other = empirical_bernstein(values, .05);
  const Interval ours = metrics::confidence_sequence(counts, .05);
  EXPECT_NEAR(ours.low, other.centre - other.half, .02);
  EXPECT_NEAR(ours.high, other.centre + other.half, .02);
}

TEST(FixedHorizon, ComparesProportions) {
  EXPECT_NEAR(two_proportion_p({5, 1000}, {20, 1000}), .0025, .0003);
  EXPECT_DOUBLE_EQ(two_proportion_p({0, 100}, {0, 100}), 1.0);
  EXPECT_DOUBLE_EQ(two_proportion_p({0, 0}, {0, 0}), 1.0);
}

}  // namespace
}  // namespace understudy::bench
