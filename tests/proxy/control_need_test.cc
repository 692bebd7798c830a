#include "proxy/control_need.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "metrics/safety_forecast.h"

namespace understudy::proxy {
namespace {

using metrics::RouteEvidence;

constexpr std::chrono::system_clock::time_point kMorning{std::chrono::seconds{1'790'006'400}};

// Of triples in which nothing differs: all noise gates are safe then.
constexpr std::uint64_t kEnough = 600;

const routing::VerdictConfig kGates;
const ControlNeed::Rules kRules{.verdict = kGates};
const ControlNeed::Rules kSettling{.verdict = kGates, .settles_families = true};

void add_triples(RouteEvidence& evidence, std::string_view family, std::uint64_t count,
                 bool in_pool = true) {
  for (std::uint64_t i = 0; i < count; ++i) evidence.record_triple(family, {}, {}, in_pool);
}

// Triples in which the candidate, and the primary asked again, differ in their language so often.
void add_noisy_triples(RouteEvidence& evidence, std::string_view family, int count, int one_in) {
  metrics::Comparison same, differs;
  differs.findings.push_back({.signal = metrics::Signal::language, .diverges = true});
  for (int i = 0; i < count; ++i) {
    const bool shadow = i % one_in == 0, control = i % one_in == 1;
    evidence.record_triple(family, shadow ? differs : same, control ? differs : same);
  }
}

ControlNeed need_of(std::string_view experiment) {
  ControlNeed need;
  need.begin(experiment);
  return need;
}

TEST(ControlNeed, IsOfAllCopiesUntilTheRouteHasItsTriples) {
  RouteEvidence evidence("one", kMorning);
  const ControlNeed need = need_of("one");
  EXPECT_TRUE(need.of_all(nullptr, kRules));
  add_triples(evidence, "letters", metrics::kFewestTriples - 1);
  EXPECT_TRUE(need.of_all(&evidence, kRules));
  add_triples(evidence, "letters", kEnough - metrics::kFewestTriples + 1);
  EXPECT_FALSE(need.of_all(&evidence, kRules)) << "as it was left by an earlier process";
}

TEST(ControlNeed, IsOfAllCopiesWhileMoreOfThemWouldShowANoiseGateSafe) {
  RouteEvidence evidence("one", kMorning);
  const ControlNeed need = need_of("one");
  add_noisy_triples(evidence, "letters", 600, 200);
  EXPECT_TRUE(need.of_all(&evidence, kRules)) << "its language is not shown to be safe yet";
  add_noisy_triples(evidence, "letters", 1'400, 200);
  EXPECT_FALSE(need.of_all(&evidence, kRules)) << "all noise gates are safe";
  routing::VerdictConfig without_language;
  without_language.gates[*routing::gate_of("language")].reset();
  RouteEvidence fewer("one", kMorning);
  add_noisy_triples(fewer, "letters", 600, 200);
  EXPECT_FALSE(need.of_all(&fewer, {.verdict = without_language})) << "nobody waits for it";
}

TEST(ControlNeed, EndsWhereSoMuchNoiseWouldTakeTooManyTriples) {
  RouteEvidence evidence("one", kMorning);
  add_noisy_triples(evidence, "letters", 1'000, 5);
  EXPECT_FALSE(need_of("one").of_all(&evidence, kRules)) << "20 % either way";
}

TEST(ControlNeed, IsOfAFamilyUntilItsGatesAreSafeWhereThatSavesCopies) {
  RouteEvidence evidence("one", kMorning);
  add_triples(evidence, "letters", 2'000);
  add_triples(evidence, "contracts", metrics::kFewestTriples);
  const ControlNeed need = need_of("one");
  EXPECT_FALSE(need.of_family(&evidence, "contracts", kRules));
  EXPECT_TRUE(need.of_family(&evidence, "contracts", kSettling));
  add_triples(evidence, "contracts", 200);
  EXPECT_FALSE(need.of_family(&evidence, "contracts", kSettling));
}

TEST(ControlNeed, IsOfARareFamilyUntilThatHasTriplesOfItsOwn) {
  RouteEvidence evidence("one", kMorning);
  const ControlNeed need = need_of("one");
  add_triples(evidence, "letters", 2'000);
  add_triples(evidence, "contracts", 8);
  EXPECT_FALSE(need.of_all(&evidence, kRules));
  EXPECT_FALSE(need.of_family(&evidence, "letters", kRules));
  EXPECT_TRUE(need.of_family(&evidence, "contracts", kRules));
  EXPECT_TRUE(need.of_family(&evidence, "a new one", kRules));
  add_triples(evidence, "contracts", metrics::kFewestTriples - 8, false);
  EXPECT_FALSE(need.of_family(&evidence, "contracts", kRules));
  EXPECT_EQ(evidence.pooled().triples, 2'008u) << "what a family alone was asked counts there";
}

TEST(ControlNeed, IsOfAllAgainWhereAGateCameThatKnowsNothingOfFormerTriples) {
  metrics::CountedEvidence former;
  former.pooled.triples = 2'000;
  for (std::size_t gate = 0; gate < metrics::kGateCount; ++gate)
    former.pooled.gates[gate].values[1] = 2'000;
  former.families["letters"] = former.pooled;
  const ControlNeed need = need_of("one");
  const RouteEvidence known = RouteEvidence::of("one", former);
  EXPECT_FALSE(need.of_all(&known, kRules));
  EXPECT_FALSE(need.of_family(&known, "letters", kRules));

  const std::size_t newcomer = *routing::gate_of("json_agreement");
  former.pooled.gates[newcomer] = former.families["letters"].gates[newcomer] = {};
  const RouteEvidence of_before = RouteEvidence::of("one", former);
  EXPECT_TRUE(need.of_all(&of_before, kRules));
  EXPECT_TRUE(need.of_family(&of_before, "letters", kRules));
}

TEST(ControlNeed, IsOfNoFamilyWhereThereIsNone) {
  const ControlNeed need = need_of("one");
  EXPECT_FALSE(need.of_family(nullptr, "", kRules));
  EXPECT_FALSE(need.of_family(nullptr, RouteEvidence::kOther, kRules));
}

// Repeated conversations are no evidence: no number of controls would make triples of them.
TEST(ControlNeed, EndsWithWhatWasAnsweredHereAlthoughTheEvidenceTookNoneOfIt) {
  ControlNeed need = need_of("one");
  for (std::uint64_t i = 0; i < metrics::kFewestTriples; ++i) {
    EXPECT_TRUE(need.of_all(nullptr, kRules));
    EXPECT_TRUE(need.of_family(nullptr, "letters", kRules));
    need.answered();
    need.answered("letters");
  }
  EXPECT_FALSE(need.of_all(nullptr, kRules));
  EXPECT_FALSE(need.of_family(nullptr, "letters", kRules));
  EXPECT_TRUE(need.of_family(nullptr, "contracts", kRules));
}

TEST(ControlNeed, BeginsAnewWithAnotherExperiment) {
  RouteEvidence evidence("one", kMorning);
  add_triples(evidence, "letters", kEnough);
  ControlNeed need = need_of("one");
  for (std::uint64_t i = 0; i < metrics::kFewestTriples; ++i) need.answered();
  need.begin("one");
  EXPECT_FALSE(need.of_all(&evidence, kRules));
  need.begin("two");
  EXPECT_TRUE(need.of_all(&evidence, kRules));
  EXPECT_TRUE(need.of_family(&evidence, "letters", kRules));
}

TEST(ControlNeed, IsBoundedByTheFamiliesThatThereMayBe) {
  ControlNeed need = need_of("one");
  for (std::size_t i = 0; i < RouteEvidence::kMaxFamilies; ++i)
    need.answered("family-" + std::to_string(i));
  EXPECT_TRUE(need.of_family(nullptr, "family-3", kRules));
  EXPECT_FALSE(need.of_family(nullptr, "one-more", kRules));
  RouteEvidence full("one", kMorning);
  for (std::size_t i = 0; i + 1 < RouteEvidence::kMaxFamilies; ++i)
    add_triples(full, "family-" + std::to_string(i), 1);
  add_triples(full, "one-more", 1);
  EXPECT_FALSE(need_of("one").of_family(&full, "one-more", kRules)) << "it counts as other";
}

}  // namespace
}  // namespace understudy::proxy
