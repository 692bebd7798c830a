#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "metrics/verdict.h"

namespace understudy::metrics {
namespace {

using std::chrono::system_clock;
using namespace std::chrono_literals;

constexpr system_clock::time_point kMorning{std::chrono::seconds{1'790'006'400}};

// A route of one model that says the same again, hundred pairs an hour; ratios of 1.
class Route {
 public:
  // Of these, so many had a second answer of the primary.
  void hour(int triples, int pairs = 100) {
    Comparison same;
    for (const Signal signal : {Signal::latency, Signal::cost}) {
      Finding finding;
      finding.signal = signal;
      same.findings.push_back(finding);
    }
    Observation served, other;
    served.answer.parsed = other.answer.parsed = true;
    other.variant = routing::Variant::candidate;
    for (int i = 0; i < pairs; ++i) {
      evidence.record_pair("support", {same, served, other}, now);
      if (i < triples) evidence.record_triple("support", same, {});
    }
    now += 1h;
  }
  Verdict verdict() const { return judge(evidence, rules, facts); }

  RouteEvidence evidence{"an experiment", kMorning};
  routing::VerdictConfig rules;
  CoverageFacts facts;
  system_clock::time_point now = kMorning;
};

GateResult gate(const Verdict& verdict, std::string_view signal) {
  return *std::ranges::find_if(verdict.reasons, [&](const GateResult& reason) {
    return routing::kGates[reason.gate].signal == signal;
  });
}

// control_percent: auto asks for a control beside every copy until there are 400, then for 2 %.
TEST(PairsNeeded, FollowHowManyControlsThereAreNowWhereThereWereMoreBefore) {
  Route route;
  for (int hour = 0; hour < 4; ++hour) route.hour(100);
  for (int hour = 0; hour < 6; ++hour) route.hour(2);
  const GateResult language = gate(route.verdict(), "language");
  ASSERT_EQ(language.state, GateState::open);
  ASSERT_TRUE(language.pairs_needed);
  const std::uint64_t told = *language.pairs_needed;
  EXPECT_GT(told, 3'000u) << "about a hundred triples more";
  std::uint64_t taken = 0;
  while (gate(route.verdict(), "language").state != GateState::safe && taken < 20'000) {
    route.hour(2);
    taken += 100;
  }
  EXPECT_NEAR(static_cast<double>(told), static_cast<double>(taken),
              0.25 * static_cast<double>(told));
}

TEST(PairsNeeded, AreOfNoNumberWhereNoControlIsAskedForAnyMore) {
  Route route;
  for (int hour = 0; hour < 2; ++hour) route.hour(100);
  for (int hour = 0; hour < 6; ++hour) route.hour(0);
  EXPECT_FALSE(gate(route.verdict(), "language").pairs_needed);
}

TEST(PairsNeeded, ComeWithTheHoursThatAreMissing) {
  Route route;
  route.rules.min_hours = 24;
  route.hour(100);
  const Verdict early = route.verdict();
  ASSERT_TRUE(early.pairs_needed);
  EXPECT_EQ(early.hours_needed, 23u);
  EXPECT_NE(early.text.find("About " + std::to_string(*early.pairs_needed) +
                            " pairs and 23 hours more are needed"),
            std::string::npos)
      << early.text;
  for (int hour = 1; hour < 22; ++hour) route.hour(100);
  const Verdict late = route.verdict();
  ASSERT_EQ(late.state, VerdictState::keep_shadowing);
  EXPECT_FALSE(late.pairs_needed) << "every gate is safe";
  EXPECT_EQ(late.hours_needed, 2u);
  EXPECT_NE(late.text.find(" 2 hours more are needed"), std::string::npos) << late.text;
}

TEST(PairsNeeded, AreNoPromiseWhereCopiesAreLost) {
  Route route;
  route.hour(100);
  route.facts.copies = {.drawn = 1'000, .dropped = 900};
  EXPECT_FALSE(route.verdict().pairs_needed);
  EXPECT_FALSE(route.verdict().hours_needed);
  route.facts = {};
  ASSERT_TRUE(route.verdict().pairs_needed);
  for (int i = 0; i < 50; ++i) route.evidence.record_missing();
  EXPECT_FALSE(route.verdict().pairs_needed) << "the candidate was throttled";
}

}  // namespace
}  // namespace understudy::metrics
