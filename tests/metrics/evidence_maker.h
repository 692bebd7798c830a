#pragma once
// Evidence for the tests of what is made of it: answers, findings and the pairs they come in.

#include <algorithm>
#include <chrono>
#include <random>
#include <string_view>
#include <vector>

#include "metrics/verdict.h"

namespace understudy::metrics {

// A full hour.
inline constexpr std::chrono::system_clock::time_point kMorning{
    std::chrono::seconds{1'790'006'400}};

inline Observation good(routing::Variant variant) {
  Observation seen;
  seen.variant = variant;
  seen.status = 200;
  seen.answer.parsed = true;
  seen.answer.text = "An answer.";
  seen.total = std::chrono::seconds{1};
  seen.usage = {.input = 100, .output = 50, .cache_read = {}, .cache_write = {}};
  seen.cost_usd = 0.001;
  return seen;
}

inline Finding flag(Signal signal, bool served_bad, bool other_bad) {
  Finding finding;
  finding.signal = signal;
  finding.diverges = served_bad != other_bad;
  finding.served_bad = served_bad;
  finding.other_bad = other_bad;
  return finding;
}

// Each side is bad at its own rate.
inline Finding draw(std::mt19937_64& random, Signal signal, double served_rate, double other_rate) {
  std::uniform_real_distribution<double> uniform{0.0, 1.0};
  const bool served_bad = uniform(random) < served_rate;
  return flag(signal, served_bad, uniform(random) < other_rate);
}

// Records pairs as a route would see them: a day's worth of hours, ratios of 1 unless told.
class Evidence {
 public:
  void pairs(int count, const std::vector<Finding>& findings = {},
             std::string_view family = "support") {
    Comparison comparison;
    comparison.findings = findings;
    for (const Signal signal : kSignals) {
      if (label(signal) == "latency" || label(signal) == "cost") {
        const bool told = std::ranges::any_of(
            findings, [&](const Finding& finding) { return finding.signal == signal; });
        if (!told) comparison.findings.push_back(flag(signal, false, false));
      }
    }
    const Observation served = good(routing::Variant::primary);
    const Observation other = good(routing::Variant::candidate);
    for (int i = 0; i < count; ++i) {
      evidence.record_pair(family, {comparison, served, other},
                           kMorning + std::chrono::hours{seen_++ % 48});
      evidence.record_triple(family, comparison, control);
    }
  }
  Verdict verdict() const { return judge(evidence, rules, facts); }

  RouteEvidence evidence{"an experiment", kMorning};
  routing::VerdictConfig rules;
  CoverageFacts facts;
  Comparison control;

 private:
  int seen_ = 0;
};

}  // namespace understudy::metrics
