#include "metrics/cost_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "tests/metrics/pair_maker.h"

namespace understudy::metrics {
namespace {

using testing::HasSubstr;
using namespace std::chrono;

constexpr sys_days kToday = 2026y / November / 20;
constexpr std::string_view kDear = "anthropic.claude-sonnet-4-5-20250929-v1:0";  // 3 and 15
constexpr std::string_view kCheap = "anthropic.claude-sonnet-5";                 // 2 and 10

// An answer of `characters`, with that many tokens asked and answered.
Observation spent(std::string_view model, std::int64_t input, std::int64_t output,
                  std::size_t characters) {
  Observation seen = answer(std::string(characters, 'x'));
  seen.model_id = model;
  seen.usage.input = input;
  seen.usage.output = output;
  return seen;
}

class CostOfPairs : public testing::Test {
 protected:
  void pair(const Observation& primary, const Observation& candidate,
            std::string_view family = "invoices") {
    const auto cost = pair_cost(*prices_, primary, candidate, kToday);
    evidence_.record_pair(family,
                          {.comparison = comparison_,
                           .served = primary,
                           .other = candidate,
                           .cost = cost ? &*cost : nullptr},
                          kToday + 1h);
  }
  CostReport report() const { return cost_report(evidence_); }
  void expect_parts_add_up() const {
    const CostReport seen = report();
    ASSERT_TRUE(seen.effects);
    EXPECT_NEAR(seen.effects->total(), *seen.candidate_usd - *seen.primary_usd,
                1e-9 * (*seen.candidate_usd + *seen.primary_usd));
  }

  std::shared_ptr<const Prices> prices_ = Prices::built_in();
  Comparison comparison_;
  RouteEvidence evidence_{"experiment", sys_days{kToday}};
};

TEST_F(CostOfPairs, IsUnknownRatherThanZeroWithoutUsageOrPrice) {
  EXPECT_FALSE(report().primary_usd);
  EXPECT_THAT(text_of(report()), HasSubstr("not known: no pair"));
  pair(answer("no usage"), spent(kCheap, 10, 10, 10));
  EXPECT_EQ(report().pairs, 0u);
  pair(spent(kDear, 10, 10, 10), spent("somebody.new-model", 10, 10, 10));
  EXPECT_EQ(report().pairs, 1u);
  EXPECT_EQ(report().priced, 0u);
  EXPECT_FALSE(report().candidate_usd);
  EXPECT_FALSE(report().effects);
  EXPECT_THAT(text_of(report()), HasSubstr("no price"));
}

TEST_F(CostOfPairs, FindsADifferenceOfPricesAlone) {
  for (int i = 0; i < 10; ++i) pair(spent(kDear, 1000, 200, 800), spent(kCheap, 1000, 200, 800));
  const CostReport seen = report();
  EXPECT_NEAR(*seen.primary_usd, 6.0, 1e-9) << "1,000 times 1,000 at 3 and 200 at 15 a million";
  EXPECT_NEAR(*seen.candidate_usd, 4.0, 1e-9);
  EXPECT_NEAR(seen.effects->price, -2.0, 1e-9);
  EXPECT_NEAR(seen.effects->tokenizer, 0.0, 1e-9);
  EXPECT_NEAR(seen.effects->verbosity, 0.0, 1e-9);
  EXPECT_EQ(seen.effects->thinking, 0.0);
  EXPECT_EQ(seen.effects->cache, 0.0);
  EXPECT_EQ(seen.prices_as_of, "2026-11-20");
}

TEST_F(CostOfPairs, TellsTheTokenizerFromLongerAnswers) {
  // A third more tokens for the same text, and answers of twice the length.
  for (int i = 0; i < 10; ++i) pair(spent(kDear, 900, 300, 1200), spent(kDear, 1200, 800, 2400));
  const CostReport seen = report();
  EXPECT_NEAR(*seen.input_tokenizer, 4.0 / 3.0, 1e-9);
  EXPECT_NEAR(*seen.output_tokenizer, 4.0 / 3.0, 1e-9);
  EXPECT_NEAR(seen.effects->tokenizer, (300 * 3 + 100 * 15) * 1e-3, 1e-9);
  EXPECT_NEAR(seen.effects->verbosity, 400 * 15 * 1e-3, 1e-9);
  EXPECT_NEAR(seen.effects->price, 0.0, 1e-9);
  expect_parts_add_up();
}

TEST_F(CostOfPairs, TakesThinkingFromWhatTheUpstreamTells) {
  Observation thinker = spent(kDear, 1000, 700, 800);
  thinker.usage.reasoning = 500;
  for (int i = 0; i < 10; ++i) pair(spent(kDear, 1000, 200, 800), thinker);
  EXPECT_NEAR(*report().effects->thinking, 500 * 15 * 1e-3, 1e-9);
  EXPECT_NEAR(report().effects->verbosity, 0.0, 1e-9);
  expect_parts_add_up();
}

TEST_F(CostOfPairs, TakesThinkingFromWhatTheCharactersDoNotExplain) {
  // Every other answer thinks, without telling how much: its text alone would be 200 tokens.
  Observation thinker = spent(kDear, 1000, 700, 800);
  thinker.answer.thinking_bytes = 10;
  for (int i = 0; i < 10; ++i)
    pair(spent(kDear, 1000, 200, 800), i % 2 == 0 ? thinker : spent(kDear, 1000, 200, 800));
  EXPECT_NEAR(*report().effects->thinking, 250 * 15 * 1e-3, 1e-9);
  expect_parts_add_up();
}

TEST_F(CostOfPairs, DoesNotGuessAtThinkingThatNothingExplains) {
  Observation thinker = spent(kDear, 1000, 700, 0);
  thinker.answer.thinking_bytes = 10;
  for (int i = 0; i < 10; ++i) pair(spent(kDear, 1000, 200, 0), thinker);
  EXPECT_FALSE(report().effects->thinking) << "unknown, not zero";
  expect_parts_add_up();
}

TEST_F(CostOfPairs, TellsAColderCacheApart) {
  Observation warm = spent(kDear, 100, 200, 800);
  warm.usage.cache_read = 900;
  for (int i = 0; i < 10; ++i) pair(warm, spent(kDear, 1000, 200, 800));
  const CostReport seen = report();
  EXPECT_NEAR(seen.effects->cache, 900 * (3 - 0.3) * 1e-3, 1e-9);
  EXPECT_NEAR(seen.effects->tokenizer, 0.0, 1e-9);
  EXPECT_NEAR(*seen.primary_cache_share, 0.9, 1e-9);
  EXPECT_EQ(*seen.candidate_cache_share, 0.0);
  EXPECT_NEAR(*seen.candidate_usd_with_primarys_cache, *seen.primary_usd, 1e-9);
}

TEST_F(CostOfPairs, AddsUpWhateverTheFamiliesDo) {
  std::minstd_rand random(7);
  const auto any = [&](int below) { return static_cast<std::int64_t>(random() % below); };
  for (int i = 0; i < 400; ++i) {
    Observation primary = spent(kDear, any(3000), any(900), random() % 4000);
    Observation candidate = spent(kCheap, any(3000), any(1500), random() % 6000);
    if (any(3) == 0) primary.usage.cache_read = any(5000);
    if (any(3) == 0) candidate.usage.cache_write = any(5000);
    if (any(4) == 0) candidate.answer.thinking_bytes = 5;
    if (any(4) == 0) candidate.usage.reasoning = any(400);
    pair(primary, candidate, "family " + std::to_string(i % 7));
  }
  expect_parts_add_up();
  EXPECT_TRUE(report().effects->thinking);
}

TEST_F(CostOfPairs, DoesNotTakeAMixOfFamiliesForAnEffect) {
  // In both families the same answers; they only come in unlike numbers and sizes.
  for (int i = 0; i < 30; ++i)
    pair(spent(kDear, 100, 50, 200), spent(kCheap, 100, 50, 200), "short");
  for (int i = 0; i < 3; ++i)
    pair(spent(kDear, 9000, 5000, 9000), spent(kCheap, 9000, 5000, 9000), "dense");
  EXPECT_NEAR(report().effects->tokenizer, 0.0, 1e-9);
  EXPECT_NEAR(report().effects->verbosity, 0.0, 1e-9);
}

TEST_F(CostOfPairs, ProjectsAMonthFromAllTrafficAndNotFromTheCopies) {
  for (int i = 0; i < 10; ++i) pair(spent(kDear, 1000, 200, 800), spent(kCheap, 1000, 200, 800));
  EXPECT_FALSE(report().month) << "nobody watched the traffic";
  evidence_.record_traffic(10'000, 3'600'000ms, sys_days{kToday} + 1h);
  const auto month = report().month;
  ASSERT_TRUE(month);
  EXPECT_NEAR(month->requests, 10'000 * 730.0, 1e-3);
  EXPECT_NEAR(month->primary_usd, 6.0 * 10 * 730.0, 1e-6);
  EXPECT_NEAR(month->candidate_usd, 4.0 * 10 * 730.0, 1e-6);
  EXPECT_EQ(month->watched, 3600s);
}

TEST_F(CostOfPairs, IsToldInPlainWords) {
  for (int i = 0; i < 10; ++i) pair(spent(kDear, 1000, 200, 800), spent(kCheap, 1000, 300, 1200));
  evidence_.record_traffic(10'000, 3'600'000ms, sys_days{kToday} + 1h);
  EXPECT_EQ(text_of(report()),
            "1,000 requests cost $6.00 now and $5.00 with the candidate (-16.7 %): prices -$2.00, "
            "length of answers +$1.00. Prices of 2026-11-20, 10 pairs. A month at the pace of the "
            "last 1.00 hours (7300000 requests): $43800 now, $36500 with the candidate.");
}

TEST(TrafficTally, AddsTheRequestsOfAFleetAndNotItsHours) {
  TrafficTally one, other;
  one.add(100, 60'000ms, sys_days{kToday});
  other.add(50, 60'000ms, sys_days{kToday});
  one.merge(other);
  ASSERT_TRUE(one.pace());
  EXPECT_NEAR(one.pace()->requests_per_month, 150.0 * 60 * 730, 1e-6);
  EXPECT_EQ(one.pace()->watched, 60s);
}

TEST(TrafficTally, KnowsThePeakAndWhetherPairsCameThen) {
  TrafficTally one, other;
  EXPECT_FALSE(one.peak());
  one.add(100, 1h, sys_days{kToday});
  one.add(300, 1h, sys_days{kToday} + 8h);
  one.add_pair(sys_days{kToday});
  EXPECT_EQ(one.peak()->requests, 300u);
  EXPECT_EQ(one.peak()->requests_with_pairs, 100u);
  EXPECT_FALSE(one.peak()->is_covered());
  other.add_pair(sys_days{kToday} + 8h);
  one.merge(other);
  EXPECT_TRUE(one.peak()->is_covered()) << "a proxy of the same fleet saw the peak";
  EXPECT_EQ(TrafficTally::from_json(one.to_json()), one);
  EXPECT_EQ(one.without_pairs().peak()->requests, 300u);
  EXPECT_EQ(one.without_pairs().peak()->requests_with_pairs, 0u);
}

TEST(TrafficTally, ReadsHoursOfFormerVersionsThatDidNotTellTheirPairs) {
  const auto tally = TrafficTally::from_json(nlohmann::json::parse("[[497000,12,3600000]]"));
  ASSERT_TRUE(tally.peak());
  EXPECT_EQ(tally.peak()->requests, 12u);
  EXPECT_EQ(tally.peak()->requests_with_pairs, 0u);
}

TEST(TrafficTally, KeepsAWeek) {
  TrafficTally tally;
  for (int hour = 0; hour < 1000; ++hour)
    tally.add(hour < 500 ? 1'000'000 : 1, 3'600'000ms, sys_days{kToday} + hours{hour});
  EXPECT_NEAR(tally.pace()->requests_per_month, 730.0, 1e-6);
  EXPECT_EQ(TrafficTally::from_json(tally.to_json()), tally);
}

}  // namespace
}  // namespace understudy::metrics
