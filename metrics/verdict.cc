#include "metrics/verdict.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>

#include "metrics/evidence/alarm_watch.h"
#include "metrics/quantile_gates.h"
#include "metrics/safety_forecast.h"
#include "metrics/verdict_text.h"

namespace understudy::metrics {
namespace {

using routing::GateUnit;
using routing::kGates;
using routing::VerdictConfig;

constexpr double kConfidence = 0.05;        // of the confidence sequences
constexpr double kFamilyWithAShare = 0.02;  // of the traffic: a family that must have been seen

double unit_of_mean(std::size_t gate, double mean) noexcept {
  return kGates[gate].unit == GateUnit::ratio ? ratio_of_mean(mean) - 1.0
                                              : difference_of_mean(mean);
}

std::optional<double> share(std::uint64_t hits, std::uint64_t total) noexcept {
  if (total == 0) return std::nullopt;
  return static_cast<double>(hits) / static_cast<double>(total);
}

// A primary's failure after which nobody asked the candidate says nothing for its safety: a tie. In
// these counts the candidate was seen less often than there are values.
GateCounts cautious(GateCounts counts, std::size_t gate) noexcept {
  if (gate_kind(gate) != GateKind::flag) return counts;
  const std::uint64_t total = counts.total();
  const std::uint64_t alone = total - std::min(total, counts.candidate_pairs);
  const std::uint64_t moved = std::min(alone, counts.values[0]);
  counts.values[0] -= moved;
  counts.values[1] += moved;
  return counts;
}

// How many values come with a pair. What a noise gate is judged by comes only with those that have
// a second answer of the primary, and `control_percent: auto` asks for fewer of these once they are
// not what is lacking: so their share is that of the newest hours.
double values_a_pair(const FamilyEvidence& evidence, std::size_t gate) noexcept {
  if (gate_kind(gate) != GateKind::noise) return 1.0;
  constexpr std::uint64_t kEnoughToTell = 500;  // pairs
  std::uint64_t values = 0, pairs = 0;
  const auto& spans = evidence.recent.spans();
  for (auto span = spans.rbegin(); span != spans.rend() && pairs < kEnoughToTell; ++span) {
    const GateCounts counts = span->counts.gate(gate);
    values += counts.total();
    pairs += counts.candidate_pairs;
  }
  if (pairs == 0) {  // files of former versions do not tell
    values = evidence.gates[gate].total();
    pairs = evidence.gates[gate].candidate_pairs;
  }
  return share(values, pairs).value_or(0.0);
}

GateResult measure(const GateCounts& counts, std::size_t gate,
                   const routing::GateThresholds& thresholds, double values_a_pair) {
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
  result.log_e_worse = log_e(values, Null::mean_at_most, mean_at(gate, thresholds.alarm));
  const GateCounts of_safety = cautious(counts, gate);
  result.log_e_safe =
      log_e(of_safety.counts(gate), Null::mean_at_least, mean_at(gate, thresholds.margin));
  const bool by_chance = result.interval.low <= 0.0 && result.interval.high >= 0.0;
  result.pairs_needed =
      pairs_until_safe(of_safety, gate, thresholds.margin, values_a_pair, by_chance);
  return result;
}

// An alarm, shown by the pairs that its process has seen.
GateResult measure_alarm(const FamilyEvidence& evidence, std::size_t gate,
                         const routing::GateThresholds& thresholds, const ProcessOrigin& origin,
                         const std::optional<Stage>& stage) {
  GateCounts counts = evidence.gates[gate];
  std::optional<std::chrono::sys_seconds> since;
  std::string stage_name;
  if (origin.process == Process::stage && stage && stage->ordinal == origin.begin) {
    counts = evidence.stage.gate(gate);
    since = stage->since;
    stage_name = stage->name;
  } else if (origin.process == Process::hour) {
    // Hours that are long past have been forgotten: then all pairs have to stand for them.
    const auto& spans = evidence.recent.spans();
    const auto first = std::ranges::find_if(spans, [&](const HourSpan& span) {
      return span.begin <= origin.begin && origin.begin < span.begin + span.hours;
    });
    if (first != spans.end()) {
      counts = evidence.recent.since(origin.begin).gate(gate);
      since = std::chrono::sys_seconds{std::chrono::hours{first->begin}};
    }
  }
  GateResult result = measure(counts, gate, thresholds, values_a_pair(evidence, gate));
  result.state = GateState::alarm;
  result.process = origin.process;
  result.since = since;
  result.stage = std::move(stage_name);
  return result;
}

GateResult judge_pooled(const RouteEvidence& evidence, const VerdictConfig& rules,
                        const AlarmWatch& watch, std::size_t gate) {
  const FamilyEvidence& all = evidence.pooled();
  const auto& thresholds = rules.gates[gate];
  const double coming = values_a_pair(all, gate);
  if (!thresholds) {
    GateResult off = measure(all.gates[gate], gate, kGates[gate].thresholds, coming);
    off.state = GateState::info;
    return off;
  }
  const AlarmWatch::PooledWeight& weight = watch.pooled(gate);
  const bool latched = all.alarm_stands(gate, thresholds->alarm);
  if (latched || watch.alarms(gate)) {
    const ProcessOrigin origin = latched ? all.alarmed_by[gate] : weight.origin;
    GateResult alarm = measure_alarm(all, gate, *thresholds, origin, evidence.stage());
    alarm.log_e_worse = std::max(alarm.log_e_worse, weight.log_e);
    alarm.leading_family = weight.family;
    return alarm;
  }
  GateResult result = measure(all.gates[gate], gate, *thresholds, coming);
  result.log_e_worse = std::max(result.log_e_worse, weight.log_e);
  if (result.log_e_safe >= log_threshold(kSafetyAlpha)) result.state = GateState::safe;
  return result;
}

std::vector<GateResult> family_alarms(const RouteEvidence& evidence, const VerdictConfig& rules,
                                      const AlarmWatch& watch) {
  std::vector<GateResult> alarms;
  for (const auto& [name, family] : evidence.families()) {
    for (std::size_t gate = 0; gate < kGateCount; ++gate) {
      const auto& thresholds = rules.gates[gate];
      if (!thresholds) continue;
      const bool latched = family.alarm_stands(gate, thresholds->alarm);
      if (!latched && !watch.alarms(name, gate)) continue;
      const AlarmWatch::Weight& weight = watch.weight(name, gate);
      GateResult& alarm = alarms.emplace_back(
          measure_alarm(family, gate, *thresholds,
                        latched ? family.alarmed_by[gate] : weight.origin, evidence.stage()));
      alarm.log_e_worse = std::max(alarm.log_e_worse, weight.log_e);
      alarm.family = name;
    }
  }
  return alarms;
}

std::map<std::string, Verdict::Worst, std::less<>> worst_of_families(const RouteEvidence& evidence,
                                                                     const VerdictConfig& rules,
                                                                     const AlarmWatch& watch) {
  std::map<std::string, Verdict::Worst, std::less<>> worst;
  for (const auto& [name, family] : evidence.families()) {
    for (std::size_t gate = 0; gate < kGateCount; ++gate) {
      const double log_e = watch.weight(name, gate).log_e;
      if (!rules.gates[gate] || !std::isfinite(log_e)) continue;
      const auto [known, is_first] = worst.try_emplace(name, Verdict::Worst{gate, log_e});
      if (!is_first && log_e > known->second.log_e) known->second = {gate, log_e};
    }
  }
  return worst;
}

std::string percent_of(double share_of_all) {
  return text_of_number(share_of_all * 100.0) + " %";
}

// Of the route's traffic: the pool is a uniform sample of it. Where settled families are copied
// less often, the pairs of the others are more than that.
double traffic_share(const RouteEvidence& evidence, const FamilyEvidence& family) noexcept {
  const std::uint64_t in_pool = family.pairs - std::min(family.extra_pairs, family.pairs);
  return share(in_pool, evidence.pooled().pairs).value_or(0.0);
}

// Families that are seen too seldom to be called safe.
template <typename Visit>
void for_each_unseen_family(const RouteEvidence& evidence, const VerdictConfig& rules,
                            const Visit& visit) {
  for (const auto& [name, family] : evidence.families()) {
    if (traffic_share(evidence, family) >= kFamilyWithAShare &&
        family.pairs < rules.min_pairs_per_family)
      visit(name, family);
  }
}

// The largest number that anything asks for, 0 where nothing does; none where one is not known.
std::optional<std::uint64_t> pairs_needed(const std::vector<GateResult>& results,
                                          const RouteEvidence& evidence,
                                          const VerdictConfig& rules) {
  std::uint64_t most = 0;
  for (const GateResult& result : results) {
    if (result.state != GateState::open) continue;
    if (!result.pairs_needed) return std::nullopt;
    most = std::max(most, *result.pairs_needed);
  }
  for_each_unseen_family(evidence, rules, [&](const std::string&, const FamilyEvidence& family) {
    const auto lacking = static_cast<double>(rules.min_pairs_per_family - family.pairs);
    // While a pair comes over all traffic, so many come in the family.
    const double come = share(family.pairs, evidence.pooled().pairs).value_or(1.0);
    most = std::max(most, static_cast<std::uint64_t>(std::ceil(lacking / come)));
  });
  return most;
}

std::uint64_t hours_lacking(const RouteEvidence& evidence, const VerdictConfig& rules) {
  return rules.min_hours - std::min<std::uint64_t>(evidence.hours(), rules.min_hours);
}

// What keeps a route without an alarm from being safe, besides open gates, and comes with time.
std::vector<std::string> not_seen_yet(const RouteEvidence& evidence, const VerdictConfig& rules) {
  std::vector<std::string> missing;
  if (hours_lacking(evidence, rules) > 0) {
    missing.push_back("pairs from " + std::to_string(evidence.hours()) + " of " +
                      std::to_string(rules.min_hours) + " hours (min_hours)");
  }
  if (!saw_peak(evidence, rules)) {
    const auto peak = evidence.traffic().peak();
    missing.push_back("no pair from a peak: the busiest hour of the last week had " +
                      std::to_string(peak->requests) + " requests, the busiest with pairs " +
                      std::to_string(peak->requests_with_pairs) + " (min_hours)");
  }
  for_each_unseen_family(
      evidence, rules, [&](const std::string& name, const FamilyEvidence& family) {
        missing.push_back("family " + name + ": " + std::to_string(family.pairs) + " of " +
                          std::to_string(rules.min_pairs_per_family) +
                          " pairs (min_pairs_per_family)");
      });
  return missing;
}

// The same, of what no number of pairs mends.
std::vector<std::string> lost_copies(const RouteEvidence& evidence, const VerdictConfig& rules,
                                     const CoverageFacts& facts) {
  std::vector<std::string> missing;
  const std::uint64_t pairs = evidence.pooled().pairs;
  const auto unanswered = share(evidence.missing(), evidence.missing() + pairs);
  if (unanswered && *unanswered > rules.max_missing.fraction()) {
    missing.push_back("the candidate was throttled on " + percent_of(*unanswered) +
                      " of the copies (max_missing_percent): raise its quota or lower the share");
  }
  const auto dropped = share(facts.copies.dropped, facts.copies.drawn);
  if (dropped && *dropped > rules.max_dropped.fraction()) {
    missing.push_back(percent_of(*dropped) +
                      " of the copies were dropped (max_dropped_percent): the reasons stand in "
                      "the route's counts");
  }
  return missing;
}

bool has_enough_pairs(const FamilyEvidence& family, bool in_stage, const VerdictConfig& rules) {
  if (family.pairs < rules.min_pairs_per_family) return false;
  if (!in_stage) return true;
  std::uint64_t most = 0;  // of the gates: each counts the pairs in which it could be judged
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    // Failures without a pair count there as well.
    if (gate != kErrorGate) most = std::max(most, family.stage.gate(gate).total());
  }
  return most >= rules.min_pairs_per_family;
}

bool all_gates_safe(const std::string& name, const FamilyEvidence& family,
                    const VerdictConfig& rules, const AlarmWatch& watch) {
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const auto& thresholds = rules.gates[gate];
    if (!thresholds) continue;
    if (watch.alarms(name, gate) || family.alarm_stands(gate, thresholds->alarm)) return false;
    const GateCounts counts = cautious(family.gates[gate], gate);
    const double safe =
        log_e(counts.counts(gate), Null::mean_at_least, mean_at(gate, thresholds->margin));
    if (safe < log_threshold(kSafetyAlpha)) return false;
  }
  return true;
}

// Alarms first, critical ones and those over all traffic before others; then what is open, the
// nearest to an alarm first.
auto rank(const GateResult& result) {
  return std::tuple(result.state, !(result.state == GateState::alarm && result.critical),
                    result.family != kAllFamilies, -result.log_e_worse);
}

void tell_what_is_needed(Verdict& verdict, const RouteEvidence& evidence,
                         const VerdictConfig& rules) {
  const auto pairs = pairs_needed(verdict.reasons, evidence, rules);
  if (!pairs) return;
  if (*pairs > 0) verdict.pairs_needed = pairs;
  if (const auto hours = hours_lacking(evidence, rules); hours > 0) verdict.hours_needed = hours;
}

VerdictState state_of(const Verdict& verdict) {
  const std::vector<GateResult>& results = verdict.reasons;
  const auto any = [&](const auto& of) { return std::ranges::any_of(results, of); };
  if (any([](const GateResult& r) {
        return r.state == GateState::alarm && r.critical && r.family == kAllFamilies;
      }))
    return VerdictState::roll_back;
  if (any([](const GateResult& r) { return r.state == GateState::alarm; }) ||
      std::ranges::count(verdict.quantiles, GateState::alarm, &QuantileResult::state) > 0)
    return VerdictState::fix_first;
  if (verdict.missing.empty() &&
      !any([](const GateResult& r) { return r.state == GateState::open; }))
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

std::set<std::string, std::less<>> settled_families(const RouteEvidence& evidence,
                                                    const VerdictConfig& rules) {
  AlarmWatch watch(rules);
  watch.look(evidence);
  std::set<std::string, std::less<>> settled;
  for (const auto& [name, family] : evidence.families()) {
    // What found no family is no family.
    if (name == RouteEvidence::kOther) continue;
    if (has_enough_pairs(family, evidence.stage().has_value(), rules) &&
        all_gates_safe(name, family, rules, watch))
      settled.insert(name);
  }
  return settled;
}

bool saw_peak(const RouteEvidence& evidence, const VerdictConfig& rules) noexcept {
  const auto peak = evidence.traffic().peak();
  return rules.min_hours == 0 || !peak || peak->is_covered();
}

Verdict judge(const RouteEvidence& evidence, const VerdictConfig& rules,
              const CoverageFacts& facts) {
  Verdict verdict;
  verdict.pairs = evidence.pooled().pairs;
  verdict.triples = evidence.pooled().triples;
  verdict.hours = evidence.hours();
  AlarmWatch watch(rules);
  watch.look(evidence);
  for (std::size_t gate = 0; gate < kGateCount; ++gate)
    verdict.reasons.push_back(judge_pooled(evidence, rules, watch, gate));
  for (GateResult& alarm : family_alarms(evidence, rules, watch))
    verdict.reasons.push_back(std::move(alarm));
  std::ranges::stable_sort(verdict.reasons, {}, rank);
  verdict.worst = worst_of_families(evidence, rules, watch);
  verdict.missing = not_seen_yet(evidence, rules);
  const std::vector<std::string> lost = lost_copies(evidence, rules, facts);
  verdict.missing.insert(verdict.missing.end(), lost.begin(), lost.end());
  verdict.quantiles = judge_quantiles(evidence, rules);
  verdict.state = state_of(verdict);
  if (verdict.state == VerdictState::keep_shadowing && lost.empty())
    tell_what_is_needed(verdict, evidence, rules);
  for (GateResult& reason : verdict.reasons) reason.text = text_of(reason);
  verdict.text = text_of(verdict, facts);
  return verdict;
}

}  // namespace understudy::metrics
