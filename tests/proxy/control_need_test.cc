#include "proxy/control_need.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace understudy::proxy {
namespace {

using metrics::RouteEvidence;

constexpr std::chrono::system_clock::time_point kMorning{std::chrono::seconds{1'790'006'400}};

void add_triples(RouteEvidence& evidence, std::string_view family, std::uint64_t count,
                 bool in_pool = true) {
  for (std::uint64_t i = 0; i < count; ++i) evidence.record_triple(family, {}, {}, in_pool);
}

ControlNeed need_of(std::string_view experiment) {
  ControlNeed need;
  need.begin(experiment);
  return need;
}

TEST(ControlNeed, IsOfAllCopiesUntilTheRouteHasItsTriples) {
  RouteEvidence evidence("one", kMorning);
  const ControlNeed need = need_of("one");
  EXPECT_TRUE(need.of_all(nullptr));
  add_triples(evidence, "letters", ControlNeed::kTriplesWanted - 1);
  EXPECT_TRUE(need.of_all(&evidence));
  add_triples(evidence, "letters", 1);
  EXPECT_FALSE(need.of_all(&evidence)) << "as it was left by an earlier process";
}

TEST(ControlNeed, IsOfARareFamilyUntilThatHasTriplesOfItsOwn) {
  RouteEvidence evidence("one", kMorning);
  const ControlNeed need = need_of("one");
  add_triples(evidence, "letters", 2'000);
  add_triples(evidence, "contracts", 8);
  EXPECT_FALSE(need.of_all(&evidence));
  EXPECT_FALSE(need.of_family(&evidence, "letters"));
  EXPECT_TRUE(need.of_family(&evidence, "contracts"));
  EXPECT_TRUE(need.of_family(&evidence, "a new one"));
  add_triples(evidence, "contracts", ControlNeed::kTriplesWanted - 8, false);
  EXPECT_FALSE(need.of_family(&evidence, "contracts"));
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
  EXPECT_FALSE(need.of_all(&known));
  EXPECT_FALSE(need.of_family(&known, "letters"));

  const std::size_t newcomer = *routing::gate_of("json_agreement");
  former.pooled.gates[newcomer] = former.families["letters"].gates[newcomer] = {};
  const RouteEvidence of_before = RouteEvidence::of("one", former);
  EXPECT_TRUE(need.of_all(&of_before));
  EXPECT_TRUE(need.of_family(&of_before, "letters"));
}

TEST(ControlNeed, IsOfNoFamilyWhereThereIsNone) {
  const ControlNeed need = need_of("one");
  EXPECT_FALSE(need.of_family(nullptr, ""));
  EXPECT_FALSE(need.of_family(nullptr, RouteEvidence::kOther));
}

// Repeated conversations are no evidence: no number of controls would make triples of them.
TEST(ControlNeed, EndsWithWhatWasAnsweredHereAlthoughTheEvidenceTookNoneOfIt) {
  ControlNeed need = need_of("one");
  for (std::uint64_t i = 0; i < ControlNeed::kTriplesWanted; ++i) {
    EXPECT_TRUE(need.of_all(nullptr));
    EXPECT_TRUE(need.of_family(nullptr, "letters"));
    need.answered();
    need.answered("letters");
  }
  EXPECT_FALSE(need.of_all(nullptr));
  EXPECT_FALSE(need.of_family(nullptr, "letters"));
  EXPECT_TRUE(need.of_family(nullptr, "contracts"));
}

TEST(ControlNeed, BeginsAnewWithAnotherExperiment) {
  RouteEvidence evidence("one", kMorning);
  add_triples(evidence, "letters", ControlNeed::kTriplesWanted);
  ControlNeed need = need_of("one");
  for (std::uint64_t i = 0; i < ControlNeed::kTriplesWanted; ++i) need.answered();
  need.begin("one");
  EXPECT_FALSE(need.of_all(&evidence));
  need.begin("two");
  EXPECT_TRUE(need.of_all(&evidence));
  EXPECT_TRUE(need.of_family(&evidence, "letters"));
}

TEST(ControlNeed, IsBoundedByTheFamiliesThatThereMayBe) {
  ControlNeed need = need_of("one");
  for (std::size_t i = 0; i < RouteEvidence::kMaxFamilies; ++i)
    need.answered("family-" + std::to_string(i));
  EXPECT_TRUE(need.of_family(nullptr, "family-3"));
  EXPECT_FALSE(need.of_family(nullptr, "one-more"));
  RouteEvidence full("one", kMorning);
  for (std::size_t i = 0; i + 1 < RouteEvidence::kMaxFamilies; ++i)
    add_triples(full, "family-" + std::to_string(i), 1);
  add_triples(full, "one-more", 1);
  EXPECT_FALSE(need_of("one").of_family(&full, "one-more")) << "it counts as other";
}

}  // namespace
}  // namespace understudy::proxy
