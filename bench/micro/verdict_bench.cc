// The verdict of a route whose every place for a family is taken, as the analysis thread gives it
// after pairs: all gates, over all traffic and in 256 families. While all is well, and once the
// answers of all families have gone bad in every way and nothing is remembered as an alarm yet:
// then each stream asks for its share of the level. The primary was the worse one before, so that
// the processes that began with an hour speak loudest.

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

#include "metrics/verdict.h"

namespace understudy {
namespace {

using metrics::Finding;
using metrics::Observation;

constexpr int kPairsOfAFamily = 40;

Observation answer(routing::Variant variant) {
  Observation seen;
  seen.variant = variant;
  seen.status = 200;
  seen.answer.parsed = true;
  seen.answer.text = "An answer.";
  seen.total = std::chrono::seconds{2};
  seen.usage = {.input = 100, .output = 50, .cache_read = {}, .cache_write = {}};
  seen.cost_usd = 0.001;
  return seen;
}

// Every signal applies; one side or the other is bad in some of the pairs.
metrics::Comparison comparison_of(int number) {
  metrics::Comparison comparison;
  int i = number;
  for (const metrics::Signal signal : metrics::kSignals) {
    ++i;
    Finding finding;
    finding.signal = signal;
    finding.served_bad = i % 53 == 0;
    finding.other_bad = i % 47 == 0;
    finding.diverges = finding.served_bad != finding.other_bad;
    finding.value = static_cast<double>(i % 21 - 10) / 50.0;
    comparison.findings.push_back(finding);
  }
  return comparison;
}

// In every gate, one side's answer is bad and the other's is not.
void spoil(metrics::Comparison& comparison, bool candidates) {
  for (Finding& finding : comparison.findings) {
    finding.served_bad = !candidates;
    finding.other_bad = candidates;
    finding.diverges = true;
  }
}

// The last hours are the candidate's bad ones, those before the primary's; 0: all is well.
metrics::RouteEvidence full_evidence(int bad_hours) {
  const std::chrono::system_clock::time_point begin{std::chrono::hours{500'000}};
  metrics::RouteEvidence evidence("bench", begin);
  const Observation served = answer(routing::Variant::primary);
  const Observation other = answer(routing::Variant::candidate);
  int number = 0;
  for (int pair = 0; pair < kPairsOfAFamily; ++pair) {
    for (std::size_t family = 0; family < metrics::RouteEvidence::kMaxFamilies; ++family) {
      auto comparison = comparison_of(++number);
      if (bad_hours > 0) spoil(comparison, pair >= kPairsOfAFamily - bad_hours);
      const std::string name = "family-" + std::to_string(family);
      evidence.record_pair(name, {comparison, served, other}, begin + std::chrono::hours{pair});
      evidence.record_triple(name, comparison, comparison_of(number + 7));
    }
  }
  return evidence;
}

void VerdictOfAFullRoute(benchmark::State& state) {
  const metrics::RouteEvidence evidence = full_evidence(static_cast<int>(state.range(0)));
  const routing::VerdictConfig rules;
  const metrics::CoverageFacts facts{.copies = {.drawn = evidence.pooled().pairs}};
  for (auto _ : state) {
    auto verdict = metrics::judge(evidence, rules, facts);
    benchmark::DoNotOptimize(verdict);
  }
}
BENCHMARK(VerdictOfAFullRoute)
    ->ArgName("bad_hours")
    ->Arg(0)
    ->Arg(30)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace understudy
