#include "metrics/evidence/containment_counts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/metrics/evidence_maker.h"

namespace understudy::metrics {
namespace {

ContainmentCounts counted(int times, double own, double other) {
  ContainmentCounts counts;
  for (int i = 0; i < times; ++i) counts.add(own, other);
  return counts;
}

TEST(ContainmentCounts, SayNothingBeforeTheyHaveSeenEnough) {
  const ContainmentCounts few =
      counted(static_cast<int>(ContainmentCounts::kFewestTriples) - 1, .5, .5);
  EXPECT_FALSE(few.own_median());
  EXPECT_FALSE(few.excess());
  EXPECT_EQ(ContainmentCounts{}.triples(), 0U);
}

TEST(ContainmentCounts, TellWhatThePrimarysOwnAnswersShareAndHowMuchLessTheCandidatesDo) {
  ContainmentCounts counts = counted(600, .5, .25);
  counts.merge(counted(399, .9, .65));
  EXPECT_EQ(counts.triples(), 999U);
  EXPECT_NEAR(*counts.own_median(), .5, .0126);
  const auto excess = counts.excess();
  ASSERT_TRUE(excess);
  EXPECT_NEAR(excess->mean, .25, .026) << "one of 41 values";
  EXPECT_GT(excess->interval.low, 0.1);
  EXPECT_LT(excess->interval.low, excess->mean);
  EXPECT_GT(excess->interval.high, excess->mean);
}

TEST(ContainmentCounts, FindNoExcessWhereBothSpreadAlike) {
  ContainmentCounts counts = counted(500, .3, .7);
  counts.merge(counted(500, .7, .3));
  EXPECT_NEAR(counts.excess()->mean, 0.0, 1e-9);
  EXPECT_LT(counts.excess()->interval.low, 0.0);
}

TEST(ContainmentCounts, ComeBackAsTheyWereAndRefuseTheRest) {
  const ContainmentCounts counts = counted(30, .41, .4);
  EXPECT_EQ(ContainmentCounts::from_json(counts.to_json()), counts);
  for (const char* bad : {"null", "{}", R"({"own": [1]})", R"({"own": [-1], "excess": []})",
                          R"({"own": [1.5], "excess": []})", R"({"own": 1, "excess": []})"}) {
    EXPECT_ANY_THROW(ContainmentCounts::from_json(nlohmann::json::parse(bad))) << bad;
  }
  // Sums of these would begin anew at zero, and no median would be among them.
  EXPECT_ANY_THROW(ContainmentCounts::from_json(
      nlohmann::json::parse(R"({"own": [9223372036854775809], "excess": []})")));
  nlohmann::json longer = counts.to_json();
  longer["own"] = std::vector<int>(1'000, 1);
  EXPECT_ANY_THROW(ContainmentCounts::from_json(longer));
}

// --- In the evidence

Comparison sharing(double share, std::vector<Finding> findings = {}) {
  Finding shared;
  shared.signal = Signal::containment;
  shared.value = share;
  findings.push_back(shared);
  return {.findings = std::move(findings)};
}

TEST(Containment, IsCountedByFamilyFromTriples) {
  RouteEvidence evidence("an experiment", kMorning);
  for (int i = 0; i < 30; ++i) {
    evidence.record_triple("letters", sharing(.2), sharing(.6));
    evidence.record_triple("facts", sharing(.8), sharing(.8), false);
  }
  evidence.record_triple("letters", {}, sharing(.6));
  const auto& families = evidence.families();
  EXPECT_EQ(families.at("letters").containment.triples(), 30U) << "of both, or of none";
  EXPECT_NEAR(families.at("letters").containment.excess()->mean, .4, .026);
  EXPECT_NEAR(families.at("facts").containment.excess()->mean, .0, .026);
  EXPECT_EQ(evidence.pooled().containment, families.at("letters").containment);
  EXPECT_EQ(routing::gate_of("containment"), std::nullopt) << "told, never judged";
}

TEST(Containment, PicksTheExamplesThatAreFarthestBeyondThePrimarysSpread) {
  RouteEvidence evidence("an experiment", kMorning);
  const Observation served = good(routing::Variant::primary);
  const Observation other = good(routing::Variant::candidate);
  const auto pair = [&](std::string_view id, double share) {
    const Comparison comparison = sharing(share, {flag(Signal::refusal, false, true)});
    evidence.record_pair("letters",
                         {.comparison = comparison,
                          .served = served,
                          .other = other,
                          .cost = nullptr,
                          .exchange_id = id},
                         kMorning);
  };
  for (int i = 0; i < 30; ++i) evidence.record_triple("letters", sharing(.5), sharing(.6));
  pair("far", .05);
  pair("farther", .0);
  for (const char* id : {"n1", "n2", "n3", "n4"}) pair(id, .58);
  const auto& kept = evidence.examples().of(*routing::gate_of("refusal"));
  ASSERT_EQ(kept.size(), ExamplePairs::kEach);
  EXPECT_EQ(kept[0].exchange_id + kept[1].exchange_id, "fartherfar");
  EXPECT_EQ(kept[2].exchange_id, "n4") << "of equal ones the latest";
}

}  // namespace
}  // namespace understudy::metrics
