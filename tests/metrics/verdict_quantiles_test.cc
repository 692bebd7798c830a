#include "metrics/quantile_gates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "metrics/evidence/evidence_json.h"
#include "tests/metrics/evidence_maker.h"

namespace understudy::metrics {
namespace {

using routing::gate_of;
using namespace std::chrono_literals;

// A stream whose slowest answers became slower still, while most did not.
Evidence with_slow_tail(double factor) {
  Evidence seen;
  Comparison comparison;
  Observation served = good(routing::Variant::primary);
  Observation other = good(routing::Variant::candidate);
  for (int i = 0; i < 4'000; ++i) {
    const double usual = 1.0 + (i * 37 % 100) / 100.0;
    const bool slow = i * 37 % 100 >= 85;
    served.total = std::chrono::nanoseconds{static_cast<std::int64_t>(usual * 1e9)};
    other.total =
        std::chrono::nanoseconds{static_cast<std::int64_t>(usual * (slow ? factor : 1.0) * 1e9)};
    served.first_token = served.total / 4;
    other.first_token = other.total / 4;
    seen.evidence.record_pair("support", {comparison, served, other}, kMorning + i * 1min);
  }
  return seen;
}

const QuantileResult& quantile(const Verdict& verdict, std::string_view signal, double p) {
  const auto found = std::ranges::find_if(verdict.quantiles, [&](const QuantileResult& result) {
    return result.signal == signal && result.quantile == p;
  });
  if (found == verdict.quantiles.end()) throw std::runtime_error("no such quantile");
  return *found;
}

TEST(Verdict, SeesThatTheSlowestAnswersBecameSlower) {
  const Verdict verdict = with_slow_tail(3.0).verdict();
  const QuantileResult& slow = quantile(verdict, "latency", .95);
  EXPECT_EQ(slow.state, GateState::alarm);
  EXPECT_GT(slow.candidate.bounds->low, 1.1 * slow.primary.bounds->high);
  EXPECT_NE(slow.text.find("Slower"), std::string::npos) << slow.text;
  EXPECT_EQ(quantile(verdict, "first_token", .95).state, GateState::alarm);
  EXPECT_EQ(quantile(verdict, "latency", .50).state, GateState::safe);
  EXPECT_EQ(verdict.state, VerdictState::fix_first);
}

TEST(Verdict, FindsEqualTimesSafeAtEveryQuantile) {
  const Verdict verdict = with_slow_tail(1.0).verdict();
  ASSERT_EQ(verdict.quantiles.size(), 6u);
  for (const QuantileResult& result : verdict.quantiles)
    EXPECT_EQ(result.state, GateState::safe) << result.text;
}

TEST(Verdict, OnlyTellsQuantilesWhereLatencyIsNoGate) {
  Evidence seen = with_slow_tail(3.0);
  seen.rules.gates[*gate_of("latency")].reset();
  for (const QuantileResult& result : seen.verdict().quantiles)
    EXPECT_EQ(result.state, GateState::info);
}

// The same rows again, in which nobody is slow: the bounds come back below the threshold.
void quicken(Evidence& seen) {
  Comparison comparison;
  Observation served = good(routing::Variant::primary);
  Observation other = good(routing::Variant::candidate);
  served.total = other.total = 1s;
  served.first_token = other.first_token = 250ms;
  for (int i = 0; i < 40'000; ++i)
    seen.evidence.record_pair("support", {comparison, served, other}, kMorning);
}

TEST(Verdict, RemembersThatTheSlowestAnswersWereSlower) {
  Evidence seen = with_slow_tail(3.0);
  Evidence forgetful = seen;
  latch_quantiles(seen.evidence, seen.rules);
  quicken(seen);
  quicken(forgetful);
  ASSERT_NE(quantile(forgetful.verdict(), "latency", .95).state, GateState::alarm);
  EXPECT_EQ(quantile(seen.verdict(), "latency", .95).state, GateState::alarm);
  EXPECT_EQ(quantile(seen.verdict(), "latency", .50).state, GateState::safe);
  EXPECT_EQ(seen.verdict().state, VerdictState::fix_first);
  // Over a restart, and into a fleet's evidence, which is judged by sums.
  const auto read = evidence_from_json(to_json_text(seen.evidence));
  const RouteEvidence& restarted = std::get<RouteEvidence>(read);
  EXPECT_EQ(restarted.quantile_alarms(), seen.evidence.quantile_alarms());
  forgetful.evidence.latch_as(restarted);
  EXPECT_EQ(quantile(forgetful.verdict(), "latency", .95).state, GateState::alarm);
  RouteEvidence merged("an experiment", kMorning);
  merged.merge(restarted);
  EXPECT_EQ(merged.quantile_alarms(), restarted.quantile_alarms());
}

TEST(Verdict, ForgetsAQuantilesAlarmWhoseThresholdHasBeenRaisedSince) {
  Evidence seen = with_slow_tail(3.0);
  latch_quantiles(seen.evidence, seen.rules);
  quicken(seen);
  auto& latency = *seen.rules.gates[*gate_of("latency")];
  latency.alarm = 0.2;
  EXPECT_NE(quantile(seen.verdict(), "latency", .95).state, GateState::alarm);
  latency.alarm = 0.1;
  EXPECT_EQ(quantile(seen.verdict(), "latency", .95).state, GateState::alarm);
}

}  // namespace
}  // namespace understudy::metrics
