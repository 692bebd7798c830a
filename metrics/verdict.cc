#include "metrics/verdict.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <tuple>

#include "metrics/verdict_text.h"

namespace understudy::metrics {
namespace {

using routing::GateUnit;
using routing::kGates;
using routing::VerdictConfig;

constexpr double kConfidence = 0.05;
// Half of the 5 % of false alarms goes to the route as a whole, half to its families. Safety needs
// no correction: every gate has to be shown safe.
constexpr double kPooledAlpha = 0.025;
// The families' half is shared by the next power of two above their number, at least 32. Those
// that come later find the shares halved each time, which adds up to 2.5 times one share each.
constexpr double kFamilyAlpha = 0.025 / 2.5;
constexpr std::size_t kFewestShares = 32;
constexpr double kFamilyWithAShare = 0.02;  // of the pairs: a family that must have been seen

double mean_at(std::size_t gate, double threshold) noexcept {
  return kGates[gate].unit == GateUnit::ratio ? mean_of_ratio(1.0 + threshold)
                                              : mean_of_difference(threshold);
}

double unit_of_mean(std::size_t gate, double mean) noexcept {
  return kGates[gate].unit == GateUnit::ratio ? ratio_of_mean(mean) - 1.0
                                              : difference_of_mean(mean);
}

double log_e_worse(const FamilyEvidence& evidence, std::size_t gate,
                   const routing::GateThresholds& thresholds) noexcept {
  return log_e(evidence.gates[gate].counts(gate), Null::mean_at_most,
               mean_at(gate, thresholds.alarm));
}

double enabled_gates(const VerdictConfig& rules) noexcept {
  return static_cast<double>(std::ranges::count_if(
      rules.gates, [](const auto& thresholds) { return thresholds.has_value(); }));
}

double pooled_threshold(const VerdictConfig& rules) noexcept {
  return log_threshold(kPooledAlpha / enabled_gates(rules));
}

double family_threshold(const VerdictConfig& rules, std::size_t families) noexcept {
  const auto shares = static_cast<double>(std::bit_ceil(std::max(kFewestShares, families)));
  return log_threshold(kFamilyAlpha / (enabled_gates(rules) * shares));
}

// ln(e^a / 2 + e^b / 2)
double log_mean(double a, double b) noexcept {
  const double larger = std::max(a, b);
  return larger + std::log((std::exp(a - larger) + std::exp(b - larger)) / 2.0);
}

// Half of the bets are on all traffic, half on the families: a mean of e-processes is one, too.
double pooled_log_e(const RouteEvidence& evidence, std::size_t gate,
                    const routing::GateThresholds& thresholds) noexcept {
  const double all = log_e_worse(evidence.pooled(), gate, thresholds);
  if (evidence.families().empty()) return all;
  double largest = -1e300, sum = 0.0;
  for (const auto& [name, family] : evidence.families()) {
    const double one = log_e_worse(family, gate, thresholds);
    if (one > largest) {
      sum = sum * std::exp(largest - one) + 1.0;
      largest = one;
    } else {
      sum += std::exp(one - largest);
    }
  }
  const double families = largest + std::log(sum / static_cast<double>(evidence.families().size()));
  return log_mean(all, families);
}

std::optional<double> share(std::uint64_t hits, std::uint64_t total) noexcept {
  if (total == 0) return std::nullopt;
  return static_cast<double>(hits) / static_cast<double>(total);
}

double mean_of(ValueCounts counts) noexcept {
  double seen = 0.0, sum = 0.0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    seen += static_cast<double>(counts[k]);
    sum += static_cast<double>(counts[k] * k);
  }
  return sum / seen / static_cast<double>(counts.size() - 1);
}

GateResult measure(const FamilyEvidence& evidence, std::size_t gate,
                   const routing::GateThresholds& thresholds) {
  const GateCounts& counts = evidence.gates[gate];
  const ValueCounts values = counts.counts(gate);
  GateResult result;
  result.gate = gate;
  result.critical = kGates[gate].critical;
  result.pairs = counts.total();
  if (gate_kind(gate) != GateKind::ratio) {
    result.primary_rate = share(counts.primary_bad, counts.primary_pairs);
    result.candidate_rate = share(counts.candidate_bad, counts.candidate_pairs);
  }
  const Interval mean = confidence_sequence(values, kConfidence);
  result.interval = {unit_of_mean(gate, mean.low), unit_of_mean(gate, mean.high)};
  if (result.pairs > 0) result.difference = unit_of_mean(gate, mean_of(values));
  result.log_e_worse = log_e_worse(evidence, gate, thresholds);
  const double margin = mean_at(gate, thresholds.margin);
  result.log_e_safe = log_e(values, Null::mean_at_least, margin);
  if (const auto factor = factor_to_reject(values, Null::mean_at_least, margin, kConfidence)) {
    const double more = (*factor - 1.0) * static_cast<double>(result.pairs);
    result.pairs_needed = static_cast<std::uint64_t>(std::ceil(more));
  }
  return result;
}

GateResult judge_pooled(const RouteEvidence& evidence, const VerdictConfig& rules,
                        std::size_t gate) {
  const auto& thresholds = rules.gates[gate];
  if (!thresholds) {
    GateResult off = measure(evidence.pooled(), gate, kGates[gate].thresholds);
    off.state = GateState::info;
    return off;
  }
  GateResult result = measure(evidence.pooled(), gate, *thresholds);
  result.log_e_worse = pooled_log_e(evidence, gate, *thresholds);
  if (evidence.pooled().alarmed.test(gate) || result.log_e_worse >= pooled_threshold(rules)) {
    result.state = GateState::alarm;
  } else if (result.log_e_safe >= log_threshold(kConfidence)) {
    result.state = GateState::safe;
  }
  return result;
}

std::vector<GateResult> family_alarms(const RouteEvidence& evidence, const VerdictConfig& rules) {
  std::vector<GateResult> alarms;
  const double threshold = family_threshold(rules, evidence.families().size());
  for (const auto& [name, family] : evidence.families()) {
    for (std::size_t gate = 0; gate < kGateCount; ++gate) {
      const auto& thresholds = rules.gates[gate];
      if (!thresholds) continue;
      const bool alarms_now = log_e_worse(family, gate, *thresholds) >= threshold;
      if (!alarms_now && !family.alarmed.test(gate)) continue;
      GateResult& alarm = alarms.emplace_back(measure(family, gate, *thresholds));
      alarm.family = name;
      alarm.state = GateState::alarm;
    }
  }
  return alarms;
}

std::string percent_of(double share_of_all) {
  return text_of_number(share_of_all * 100.0) + " %";
}

// What keeps a route without an alarm from being safe, besides open gates.
std::vector<std::string> missing_coverage(const RouteEvidence& evidence, const VerdictConfig& rules,
                                          const CoverageFacts& facts) {
  std::vector<std::string> missing;
  if (evidence.hours() < rules.min_hours) {
    missing.push_back("pairs from " + std::to_string(evidence.hours()) + " of " +
                      std::to_string(rules.min_hours) + " hours (min_hours)");
  }
  const std::uint64_t pairs = evidence.pooled().pairs;
  for (const auto& [name, family] : evidence.families()) {
    const auto part = share(family.pairs, pairs);
    if (part && *part >= kFamilyWithAShare && family.pairs < rules.min_pairs_per_family) {
      missing.push_back("family " + name + ": " + std::to_string(family.pairs) + " of " +
                        std::to_string(rules.min_pairs_per_family) +
                        " pairs (min_pairs_per_family)");
    }
  }
  const auto unanswered = share(evidence.missing(), evidence.missing() + pairs);
  if (unanswered && *unanswered > rules.max_missing.fraction()) {
    missing.push_back("the candidate was throttled on " + percent_of(*unanswered) +
                      " of the copies (max_missing_percent): raise its quota or lower the share");
  }
  const auto dropped = share(facts.dropped, facts.drawn);
  if (dropped && *dropped > rules.max_dropped.fraction()) {
    missing.push_back(percent_of(*dropped) +
                      " of the copies were dropped (max_dropped_percent): the reasons stand in "
                      "the route's counts");
  }
  return missing;
}

// Alarms first, critical ones and those over all traffic before others; then what is open, the
// nearest to an alarm first.
auto rank(const GateResult& result) {
  return std::tuple(result.state, !(result.state == GateState::alarm && result.critical),
                    result.family != kAllFamilies, -result.log_e_worse);
}

VerdictState state_of(const std::vector<GateResult>& results,
                      const std::vector<std::string>& missing) {
  const auto any = [&](const auto& of) { return std::ranges::any_of(results, of); };
  if (any([](const GateResult& r) {
        return r.state == GateState::alarm && r.critical && r.family == kAllFamilies;
      }))
    return VerdictState::roll_back;
  if (any([](const GateResult& r) { return r.state == GateState::alarm; }))
    return VerdictState::fix_first;
  if (missing.empty() && !any([](const GateResult& r) { return r.state == GateState::open; }))
    return VerdictState::safe_to_promote;
  return VerdictState::keep_shadowing;
}

}  // namespace

std::string_view label(VerdictState state) noexcept {
  switch (state) {
    case VerdictState::safe_to_promote:
      return "safe_to_promote";
    case VerdictState::keep_shadowing:
      return "keep_shadowing";
    case VerdictState::fix_first:
      return "fix_first";
    case VerdictState::roll_back:
      return "roll_back";
  }
  return "keep_shadowing";
}

std::string_view label(GateState state) noexcept {
  switch (state) {
    case GateState::alarm:
      return "alarm";
    case GateState::open:
      return "open";
    case GateState::safe:
      return "safe";
    case GateState::info:
      return "info";
  }
  return "info";
}

Verdict judge(const RouteEvidence& evidence, const VerdictConfig& rules,
              const CoverageFacts& facts) {
  Verdict verdict;
  verdict.pairs = evidence.pooled().pairs;
  verdict.triples = evidence.pooled().triples;
  verdict.hours = evidence.hours();
  for (std::size_t gate = 0; gate < kGateCount; ++gate)
    verdict.reasons.push_back(judge_pooled(evidence, rules, gate));
  for (GateResult& alarm : family_alarms(evidence, rules))
    verdict.reasons.push_back(std::move(alarm));
  std::ranges::stable_sort(verdict.reasons, {}, rank);
  verdict.missing = missing_coverage(evidence, rules, facts);
  verdict.state = state_of(verdict.reasons, verdict.missing);
  for (GateResult& reason : verdict.reasons) reason.text = text_of(reason);
  verdict.text = text_of(verdict, facts);
  return verdict;
}

void latch_alarms(RouteEvidence& evidence, const VerdictConfig& rules) {
  const double of_family = family_threshold(rules, evidence.families().size());
  const double of_all = pooled_threshold(rules);
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const auto& thresholds = rules.gates[gate];
    if (!thresholds) continue;
    if (pooled_log_e(evidence, gate, *thresholds) >= of_all) evidence.latch_pooled(gate);
    for (const auto& [name, family] : evidence.families()) {
      if (!family.alarmed.test(gate) && log_e_worse(family, gate, *thresholds) >= of_family)
        evidence.latch(name, gate);
    }
  }
}

}  // namespace understudy::metrics
