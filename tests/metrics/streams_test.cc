// Level 2 of the detector benchmark in small: fixed seeds, a second or two. detector-streams runs
// it whole.

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <utility>

#include "bench/detectors/rivals.h"
#include "bench/detectors/stream_runs.h"

namespace understudy::bench {
namespace {

const Injection& injection(std::string_view name) {
  for (const Injection& each : injections()) {
    if (each.regression.name == name) return each;
  }
  throw std::runtime_error("no such injection");
}

TEST(DetectorStreams, StayQuietWhereBothSidesAreOneModel) {
  const FalseAlarms quiet = false_alarms({.noise_varies = true}, 2, 1'500, 1'000);
  EXPECT_EQ(quiet.engine, 0);
  EXPECT_GT(quiet.diffy, 0) << "a rule that knows no sampling error cries wolf";
  const StreamPlan by_the_hour{.pairs_an_hour = 60, .noise_varies = true, .day_and_night = true};
  EXPECT_EQ(false_alarms(by_the_hour, 1, 1'500, 5'000).engine, 0);
}

TEST(DetectorStreams, CountQuantilesOfTimesAmongTheAlarms) {
  // The usual answer takes 8 % longer, which the gate of ratios allows, and the slowest far more.
  const FalseAlarms slow = false_alarms({.slow_tail = 4.0}, 1, 3'000, 1'000);
  EXPECT_EQ(slow.engine, 1);
  EXPECT_EQ(slow.by_quantile, 1) << (slow.whose.empty() ? "" : slow.whose.front());
}

TEST(DetectorStreams, FindAndNameLargeRegressionsSoon) {
  for (const char* name :
       {"JSON in a fence, every answer", "key renamed, 30 %", "latency, +40 %"}) {
    const Injection& of = injection(name);
    const Detection found = detect(of, 2, 20'000);
    EXPECT_DOUBLE_EQ(share_within(found.engine, 2.0 * of.median_pairs), 1.0) << name;
    EXPECT_EQ(found.right_signal, 2) << name;
    EXPECT_EQ(found.right_family, 2) << name;
  }
}

TEST(DetectorStreams, FindThemAlmostAsSoonAfterAGoodPeriod) {
  const Injection& of = injection("key renamed, 30 %");
  const std::vector<GoodPeriod> after{good_period(4'000, 9'000)};
  const Detection fresh = detect(of, 1, 20'000);
  const LateDetection late = detect_late(of, after);
  ASSERT_TRUE(late.engine[0]);
  EXPECT_LE(*late.engine[0], 3.0 * *fresh.engine[0]);
}

// Reference values: how often Diffy's rule reports at some look between 50 and 2,000 requests of
// one model whose answers differ at that rate.
TEST(DetectorStreams, ShowThatDiffysRuleReportsNoiseAsOftenAsTheReferenceTells) {
  constexpr int kRuns = 150;
  constexpr std::size_t kGate = 0;
  SplitMix64 random(5);
  for (const auto& [rate, reports] : {std::pair{.01, .71}, {.05, .58}, {.10, .46}, {.30, .17}}) {
    int reported = 0;
    for (int run = 0; run < kRuns; ++run) {
      DiffyRule rule(1);
      StreamedPair pair;
      bool now = false;
      for (int i = 0; i < 2'000 && !now; ++i) {
        pair.flags[kGate] = {.candidate = random.chance(rate),
                             .primary_again = random.chance(rate)};
        rule.count(pair);
        now = rule.reported().has_value();
      }
      reported += now ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(reported) / kRuns, reports, .12) << rate;
  }
}

TEST(DetectorStreams, AreTheSameForTheSameSeed) {
  PairStream one({.noise_varies = true}, 7), same({.noise_varies = true}, 7);
  for (int i = 0; i < 200; ++i) {
    const StreamedPair first = one.next();
    const StreamedPair& second = same.next();
    EXPECT_EQ(first.family, second.family);
    EXPECT_EQ(first.other.total, second.other.total);
    EXPECT_EQ(first.shadow.findings.size(), second.shadow.findings.size());
  }
}

TEST(DetectorStreams, QuantilesOfDelaysCountWhatWasNeverFound) {
  const Delays delays{10.0, 30.0, std::nullopt, 20.0};
  EXPECT_DOUBLE_EQ(quantile_of(delays, .5), 20.0);
  EXPECT_TRUE(std::isinf(quantile_of(delays, .95)));
  EXPECT_DOUBLE_EQ(share_within(delays, 20.0), 0.5);
}

}  // namespace
}  // namespace understudy::bench
