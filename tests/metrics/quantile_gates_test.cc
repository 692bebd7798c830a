#include "metrics/quantile_gates.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace understudy::metrics {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::chrono::system_clock::time_point kMorning{std::chrono::seconds{1'790'006'400}};

// As many answers that always take that long.
RouteEvidence answers_taking(double primary_ms, double candidate_ms, int pairs) {
  RouteEvidence evidence("an experiment", kMorning);
  Observation served, other;
  served.answer.parsed = other.answer.parsed = true;
  other.variant = routing::Variant::candidate;
  served.total = duration_cast<nanoseconds>(Milliseconds(primary_ms));
  other.total = duration_cast<nanoseconds>(Milliseconds(candidate_ms));
  for (int i = 0; i < pairs; ++i) evidence.record_pair("letters", {{}, served, other}, kMorning);
  return evidence;
}

GateState median_state(const RouteEvidence& evidence, const routing::VerdictConfig& rules = {}) {
  const auto results = judge_quantiles(evidence, rules);
  EXPECT_EQ(results.front().signal, "latency");
  EXPECT_EQ(results.front().quantile, 0.50);
  return results.front().state;
}

// The middles of both buckets are 10.5 % apart.
TEST(QuantileGates, RaiseNoAlarmOfWhatOnlyTheRoundingOfTimesBringsAboveTheThreshold) {
  RouteEvidence evidence = answers_taking(1'012.5, 1'097.5, 2'000);
  EXPECT_EQ(median_state(evidence), GateState::safe) << "8.4 % slower, which 25 % allow";
  latch_quantiles(evidence, {});
  EXPECT_FALSE(evidence.quantile_alarms().stands(0, 0, 0.10));
}

TEST(QuantileGates, CallNothingSafeThatOnlyTheRoundingOfTimesBringsBelowTheMargin) {
  routing::VerdictConfig rules;
  rules.gates[*routing::gate_of("latency")] = {.alarm = 0.5, .margin = 0.25};
  // Eleven buckets apart by their middles, 24.6 %.
  EXPECT_EQ(median_state(answers_taking(1'000.0, 1'260.0, 500), rules), GateState::open);
  for (double primary = 1'001.0; primary < 1'025.0; primary += 4.0)
    EXPECT_EQ(median_state(answers_taking(primary, primary * 1.26, 500), rules), GateState::open);
  EXPECT_EQ(median_state(answers_taking(1'000.0, 1'200.0, 500), rules), GateState::safe);
}

TEST(QuantileGates, KnowWhatIsClearlySlowerAndWhatIsNot) {
  EXPECT_EQ(median_state(answers_taking(1'000.0, 1'160.0, 2'000)), GateState::alarm);
  EXPECT_EQ(median_state(answers_taking(1'000.0, 1'000.0, 2'000)), GateState::safe);
  EXPECT_EQ(median_state(answers_taking(1'000.0, 1'190.0, 5)), GateState::open) << "too few";
}

}  // namespace
}  // namespace understudy::metrics
