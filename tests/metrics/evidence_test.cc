#include "metrics/evidence/evidence.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "metrics/verdict.h"
#include "tests/metrics/evidence_maker.h"

namespace understudy::metrics {
namespace {

using namespace std::chrono_literals;

TEST(RouteEvidence, CountsNoMoreLanguagesThanItHasRoomFor) {
  RouteEvidence evidence("one", {});
  Observation answer;
  answer.answer.parsed = true;
  for (int i = 0; i < 100; ++i) {
    const std::string language = "l" + std::to_string(i);
    evidence.record_pair(
        "letters",
        {.comparison = Comparison{}, .served = answer, .other = answer, .language = language}, {});
  }
  EXPECT_EQ(evidence.languages().size(), RouteEvidence::kMaxLanguages);
  EXPECT_EQ(evidence.languages().at(std::string(RouteEvidence::kOther)),
            100 - (RouteEvidence::kMaxLanguages - 1));
}

TEST(Evidence, KeepsWhatIsCopiedMoreOftenOutOfThePool) {
  RouteEvidence evidence("an experiment", kMorning);
  Comparison nothing;
  const Observation served = good(routing::Variant::primary);
  const Observation other = good(routing::Variant::candidate);
  for (int i = 0; i < 10; ++i) {
    evidence.record_pair("rare",
                         {.comparison = nothing,
                          .served = served,
                          .other = other,
                          .cost = nullptr,
                          .exchange_id = {},
                          .in_pool = i == 0},
                         kMorning);
    evidence.record_triple("rare", nothing, nothing, i == 0);
  }
  EXPECT_EQ(evidence.families().at("rare").pairs, 10U);
  EXPECT_EQ(evidence.families().at("rare").triples, 10U);
  EXPECT_EQ(evidence.pooled().pairs, 1U);
  EXPECT_EQ(evidence.pooled().triples, 1U);
  EXPECT_EQ(evidence.latency(routing::Variant::candidate).count(), 1U);
  EXPECT_EQ(evidence.families().at("rare").primary, evidence.pooled().primary)
      << "money stays with what stands for all traffic";
}

TEST(Evidence, AddsUpOverProxies) {
  Evidence both, first, second;
  first.pairs(100);
  first.pairs(7, {flag(Signal::refusal, false, true)}, "a");
  second.pairs(50, {flag(Signal::empty, true, false)}, "b");
  both.pairs(100);
  both.pairs(7, {flag(Signal::refusal, false, true)}, "a");
  both.pairs(50, {flag(Signal::empty, true, false)}, "b");
  first.evidence.merge(second.evidence);
  EXPECT_EQ(first.evidence.pooled().gates, both.evidence.pooled().gates);
  EXPECT_EQ(first.evidence.pooled().pairs, both.evidence.pooled().pairs);
  for (const auto& [name, family] : both.evidence.families())
    EXPECT_EQ(first.evidence.families().at(name).gates, family.gates) << name;
}

TEST(Evidence, KeepsABoundedNumberOfFamilies) {
  Evidence seen;
  for (int family = 0; family < 1'000; ++family) seen.pairs(1, {}, std::to_string(family));
  EXPECT_EQ(seen.evidence.families().size(), RouteEvidence::kMaxFamilies);
  EXPECT_EQ(seen.evidence.families().at("other").pairs, 1'000u - (RouteEvidence::kMaxFamilies - 1));
  EXPECT_EQ(seen.evidence.pooled().pairs, 1'000u);
}

// Whatever the names: a family takes at most 35 KB, and a route has 257 of them at most.
TEST(Evidence, StaysBoundedUnderAHundredThousandFamiliesOfGarbage) {
  EXPECT_LE(sizeof(FamilyEvidence) + RecentPast::kMaxSpans * sizeof(HourSpan), 35u << 10);
  RouteEvidence evidence("an experiment", kMorning);
  const Comparison nothing;
  const Observation served = good(routing::Variant::primary);
  const Observation other = good(routing::Variant::candidate);
  std::uint64_t garbage = 88'172'645'463'325'252u;
  for (int i = 0; i < 100'000; ++i) {
    garbage ^= garbage << 13;
    garbage ^= garbage >> 7;
    garbage ^= garbage << 17;
    const std::string_view name{reinterpret_cast<const char*>(&garbage), sizeof garbage};
    evidence.record_pair(name, {nothing, served, other}, kMorning + i * 30s);
  }
  EXPECT_EQ(evidence.families().size(), RouteEvidence::kMaxFamilies);
  EXPECT_EQ(evidence.pooled().pairs, 100'000u);
  for (const auto& [name, family] : evidence.families())
    EXPECT_LE(family.recent.spans().size(), RecentPast::kMaxSpans);
}

// --- Families of which enough is known

TEST(SettledFamilies, AreThoseWhoseGatesAllAreSafe) {
  Evidence seen;
  seen.pairs(3'000, {}, "invoices");
  seen.pairs(50, {}, "letters");
  seen.pairs(3'000, {}, "");
  EXPECT_EQ(settled_families(seen.evidence, seen.rules),
            (std::set<std::string, std::less<>>{"invoices"}))
      << "fifty pairs prove nothing, and what found no family is none";
  seen.pairs(300, {flag(Signal::refusal, false, true)}, "invoices");
  EXPECT_TRUE(settled_families(seen.evidence, seen.rules).empty()) << "it refuses now";
}

TEST(SettledFamilies, AreLookedAtAnewInEachStage) {
  Evidence seen;
  seen.pairs(3'000, {}, "invoices");
  seen.evidence.begin_stage("stage 1 (5 %)", kMorning + 2h);
  EXPECT_TRUE(settled_families(seen.evidence, seen.rules).empty());
  seen.pairs(100, {}, "invoices");
  EXPECT_EQ(settled_families(seen.evidence, seen.rules).size(), 1U);
}

}  // namespace
}  // namespace understudy::metrics
