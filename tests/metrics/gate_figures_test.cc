// The figures of a gate as the verdict tells them, held to reference values.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "metrics/verdict.h"

namespace understudy::metrics {
namespace {

constexpr std::chrono::system_clock::time_point kMorning{std::chrono::seconds{1'790'006'400}};

void add_pairs(RouteEvidence& evidence, int count, bool primary_empty, bool candidate_empty) {
  Finding finding;
  finding.signal = Signal::empty;
  finding.served_bad = primary_empty;
  finding.other_bad = candidate_empty;
  Comparison comparison;
  comparison.findings.push_back(finding);
  Observation served, other;
  served.answer.parsed = other.answer.parsed = true;
  other.variant = routing::Variant::candidate;
  for (int i = 0; i < count; ++i)
    evidence.record_pair("letters", {comparison, served, other}, kMorning);
}

// Both bad, the candidate's only, the primary's only, none.
TEST(GateFigures, MatchTheCheckValuesOfAPairedDifference) {
  RouteEvidence evidence("an experiment", kMorning);
  add_pairs(evidence, 3, true, true);
  add_pairs(evidence, 18, false, true);
  add_pairs(evidence, 4, true, false);
  add_pairs(evidence, 975, false, false);
  const Verdict verdict = judge(evidence, {}, {});
  const auto empty =
      std::ranges::find(verdict.reasons, *routing::gate_of("empty"), &GateResult::gate);
  ASSERT_TRUE(empty->difference);
  EXPECT_NEAR(*empty->difference, .014, 5e-7);
  EXPECT_NEAR(empty->interval.low, -.000571, 5e-7);
  EXPECT_NEAR(empty->interval.high, .032314, 5e-7);
  EXPECT_NEAR(*empty->candidate_rate - *empty->primary_rate, .014, 5e-7);
}

}  // namespace
}  // namespace understudy::metrics
