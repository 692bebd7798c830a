#include "metrics/safety_forecast.h"

#include <gtest/gtest.h>

namespace understudy::metrics {
namespace {

constexpr std::chrono::system_clock::time_point kMorning{std::chrono::seconds{1'790'006'400}};
constexpr double kMargin = 0.01;

GateCounts flags(std::uint64_t better, std::uint64_t same, std::uint64_t worse) {
  GateCounts counts;
  counts.values[0] = better;
  counts.values[1] = same;
  counts.values[2] = worse;
  return counts;
}

// Reference values: margin 1 %, median pairs until safe without discordance 492, with 2 % each way
// 2,715. Half a value is added to what differed, and chance is often quicker than the mean.
TEST(SafetyForecast, IsNearTheReferencesSampleSizes) {
  constexpr std::size_t kRefusal = *routing::gate_of("refusal");
  const auto silent = pairs_until_safe(flags(0, 400, 0), kRefusal, kMargin, 1.0, true);
  ASSERT_TRUE(silent);
  EXPECT_GT(*silent + 400, 492u);
  EXPECT_LT(*silent + 400, 650u);
  const auto noisy = pairs_until_safe(flags(20, 960, 20), kRefusal, kMargin, 1.0, true);
  ASSERT_TRUE(noisy);
  EXPECT_GT(*noisy + 1'000, 2'715u);
  EXPECT_LT(*noisy + 1'000, 2 * 2'715u);
}

TEST(SafetyForecast, TakesAsManyPairsMoreAsFewerOfThemTell) {
  constexpr std::size_t kLabel = *routing::gate_of("label");
  const auto all = pairs_until_safe(flags(2, 96, 2), kLabel, kMargin, 1.0, true);
  const auto few = pairs_until_safe(flags(2, 96, 2), kLabel, kMargin, 0.02, true);
  ASSERT_TRUE(all && few);
  EXPECT_NEAR(static_cast<double>(*few), 50.0 * static_cast<double>(*all), 100.0);
  EXPECT_FALSE(pairs_until_safe(flags(2, 96, 2), kLabel, kMargin, 0.0, true));
}

TEST(SafetyForecast, WantsTriplesUntilTheNoiseGatesAreSafe) {
  const routing::VerdictConfig rules;
  RouteEvidence evidence("one", kMorning);
  EXPECT_TRUE(wants_triples(evidence.pooled(), rules));
  for (std::uint64_t i = 0; i < kFewestTriples; ++i) evidence.record_triple("letters", {}, {});
  EXPECT_TRUE(wants_triples(evidence.pooled(), rules)) << "the margin of the language is 1 %";
  for (int i = 0; i < 200; ++i) evidence.record_triple("letters", {}, {});
  EXPECT_FALSE(wants_triples(evidence.pooled(), rules));
}

TEST(SafetyForecast, WantsNoneForWhatAlarmsAlready) {
  const routing::VerdictConfig rules;
  RouteEvidence evidence("one", kMorning);
  for (std::uint64_t i = 0; i < kFewestTriples; ++i) evidence.record_triple("letters", {}, {});
  evidence.latch_pooled(*routing::gate_of("language"));
  EXPECT_FALSE(wants_triples(evidence.pooled(), rules));
}

}  // namespace
}  // namespace understudy::metrics
