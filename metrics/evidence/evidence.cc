#include "metrics/evidence/evidence.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "metrics/divergence/signals.h"
#include "metrics/family_miner.h"
#include "metrics/redaction.h"
#include "metrics/usage.h"

namespace understudy::metrics {
namespace {

// D of -1, 0 or +1 as one of three values.
std::size_t value_of(bool candidate, bool reference) noexcept {
  return 1u + (candidate ? 1u : 0u) - (reference ? 1u : 0u);
}

// The signal that a gate is judged by; none where no signal has its name.
const std::array<std::optional<Signal>, kGateCount> kSignalOfGate = [] {
  std::array<std::optional<Signal>, kGateCount> signals;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    for (const Signal signal : kSignals) {
      if (label(signal) == routing::kGates[gate].signal) signals[gate] = signal;
    }
  }
  return signals;
}();

const Finding* find(const Comparison& comparison, std::optional<Signal> signal) noexcept {
  for (const Finding& finding : comparison.findings) {
    if (finding.signal == signal) return &finding;
  }
  return nullptr;
}

const Finding* find(const Comparison& comparison, std::size_t gate) noexcept {
  return find(comparison, kSignalOfGate[gate]);
}

bool is_about_errors(std::size_t gate) noexcept {
  const std::string_view signal = routing::kGates[gate].signal;
  return signal == "validation_error" || signal == "error_class";
}

// Of a failed attempt nothing is known but that it failed.
bool both_answered(const PairOutcome& pair) noexcept {
  return divergence::answered(pair.served) && divergence::answered(pair.other);
}

GateMark flag_mark(const Finding* finding) noexcept {
  // Where a signal does not apply, neither side is bad: prose breaks no JSON contract.
  const bool primary = finding && finding->served_bad;
  const bool candidate = finding && finding->other_bad;
  return {.value = value_of(candidate, primary),
          .candidate_seen = true,
          .candidate_bad = candidate,
          .primary_seen = true,
          .primary_bad = primary};
}

GateMark ratio_mark(const Finding* finding) noexcept {
  if (!finding || !std::isfinite(finding->value)) return {};
  return {.value = value_of_ratio(std::exp(finding->value)), .candidate_seen = true};
}

PairMarks marks_of(const PairOutcome& pair) noexcept {
  PairMarks marks{};
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (!is_about_errors(gate) && !both_answered(pair)) continue;
    const Finding* finding = find(pair.comparison, gate);
    switch (gate_kind(gate)) {
      case GateKind::flag:
        marks[gate] = flag_mark(finding);
        break;
      case GateKind::ratio:
        marks[gate] = ratio_mark(finding);
        break;
      case GateKind::noise:
        // Its value waits for the control leg.
        marks[gate].candidate_seen = true;
        marks[gate].candidate_bad = finding && finding->diverges;
        break;
    }
  }
  return marks;
}

PairMarks marks_of_triple(const Comparison& shadow, const Comparison& control) noexcept {
  PairMarks marks{};
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (gate_kind(gate) != GateKind::noise) continue;
    const Finding* other = find(shadow, gate);
    const Finding* again = find(control, gate);
    const bool noise = again && again->diverges;
    marks[gate].value = value_of(other && other->diverges, noise);
    marks[gate].primary_seen = true;
    marks[gate].primary_bad = noise;
  }
  return marks;
}

PairMarks marks_of(const FailedAttempts& failed) noexcept {
  PairMarks marks{};
  const bool primary = failed.primary.value_or(false);
  const bool candidate = failed.candidate.value_or(false);
  marks[kErrorGate] = {.value = value_of(candidate, primary),
                       .candidate_seen = failed.candidate.has_value(),
                       .candidate_bad = candidate,
                       .primary_seen = failed.primary.has_value(),
                       .primary_bad = primary};
  return marks;
}

std::int64_t hour_of(std::chrono::system_clock::time_point now) noexcept {
  return std::chrono::floor<std::chrono::hours>(now).time_since_epoch().count();
}

struct PairSpend {
  PairedSpend primary, candidate;
};

// None where a side does not tell its usage: an unknown is no zero.
std::optional<PairSpend> spend_of(const PairOutcome& pair) noexcept {
  if (!both_answered(pair) || usage_unknown(pair.served) || usage_unknown(pair.other))
    return std::nullopt;
  PairSpend spend{metrics::spend_of(pair.served), metrics::spend_of(pair.other)};
  if (!pair.cost) return spend;
  spend.primary.priced = spend.candidate.priced = 1;
  spend.primary.cost_usd = pair.cost->primary.total();
  spend.primary.at_candidate_prices = pair.cost->primary_at_candidate_prices;
  spend.candidate.cost_usd = pair.cost->candidate.total();
  spend.candidate.at_candidate_prices = pair.cost->candidate;
  return spend;
}

// By how much less of their words the two answers share than two of the primary usually do, in
// tenths, so that pairs which are about as far apart count as equal. 0 where that is not known.
double beyond_spread(const FamilyEvidence& family, const Comparison& comparison) noexcept {
  const Finding* shared = find(comparison, Signal::containment);
  const auto own = family.containment.own_median();
  if (!shared || !own) return 0.0;
  return std::round(10.0 * std::max(0.0, *own - shared->value)) / 10.0;
}

// How much a pair says against the candidate at a gate; 0: nothing.
double weight_of(std::size_t gate, const Finding& finding) noexcept {
  switch (gate_kind(gate)) {
    case GateKind::ratio:
      return std::isfinite(finding.value) ? finding.value : 0.0;
    case GateKind::noise:
      return finding.diverges ? 1.0 : 0.0;
    case GateKind::flag:
      break;
  }
  return finding.other_bad && !finding.served_bad ? 1.0 : 0.0;
}

// A stop reason, or how the call ended: names, no content.
std::string ending(const Observation& seen) {
  return seen.error_class == ErrorClass::ok ? name_or_invalid(seen.answer.stop_reason)
                                            : std::string(label(seen.error_class));
}

ExamplePair example_of(std::string_view family, const PairOutcome& pair, const Finding& finding,
                       double weight, std::int64_t second) {
  const auto short_of = [](std::string_view text) {
    return std::string(text.substr(0, ExamplePairs::kMaxBytes));
  };
  const Observation& primary = pair.served;
  const Observation& candidate = pair.other;
  return {.exchange_id = short_of(pair.exchange_id),
          .family = short_of(family),
          .weight = weight,
          .unix_seconds = second,
          .detail = short_of(finding.detail),
          .primary_characters = metrics::spend_of(primary).characters,
          .candidate_characters = metrics::spend_of(candidate).characters,
          .primary_stop = ending(primary),
          .candidate_stop = ending(candidate)};
}

double milliseconds(nanoseconds time) noexcept {
  return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace

std::string_view label(Process process) noexcept {
  switch (process) {
    case Process::whole:
      return "whole";
    case Process::hour:
      return "hour";
    case Process::stage:
      return "stage";
  }
  return "whole";
}

void FamilyEvidence::add(const PairMarks& marks, std::int64_t hour, bool in_stage) {
  for (std::size_t gate = 0; gate < kGateCount; ++gate) gates[gate].add(marks[gate]);
  recent.add(hour, marks);
  if (in_stage) stage.add(marks);
}

void FamilyEvidence::latch(std::size_t gate, ProcessOrigin origin, double threshold) noexcept {
  if (alarm_stands(gate, threshold)) return;
  alarmed.set(gate);
  alarmed_by[gate] = origin;
  alarmed_at[gate] = threshold;
}

void FamilyEvidence::merge(const FamilyEvidence& other) {
  pairs += other.pairs;
  triples += other.triples;
  extra_pairs += other.extra_pairs;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    gates[gate].merge(other.gates[gate]);
    if (other.alarmed.test(gate)) latch(gate, other.alarmed_by[gate], other.alarmed_at[gate]);
  }
  recent.merge(other.recent);
  primary.merge(other.primary);
  candidate.merge(other.candidate);
  containment.merge(other.containment);
}

RouteEvidence::RouteEvidence(std::string experiment, std::chrono::system_clock::time_point since)
    : experiment_(std::move(experiment)), since_(since) {}

RouteEvidence RouteEvidence::of(std::string experiment, CountedEvidence counted) {
  RouteEvidence evidence(std::move(experiment), counted.since);
  evidence.pooled_ = std::move(counted.pooled);
  evidence.families_ = std::move(counted.families);
  evidence.missing_ = counted.missing;
  evidence.hours_ = counted.hours;
  evidence.stage_ = std::move(counted.stage);
  evidence.latency_ = counted.latency;
  evidence.first_token_ = counted.first_token;
  evidence.quantile_alarms_ = counted.quantile_alarms;
  return evidence;
}

// Names as FamilyFinder makes them: what a state file calls otherwise is no label.
void RouteEvidence::share(const std::string& family) {
  constexpr std::string_view kBytes =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  const bool is_label = family.find_first_not_of(kBytes) == family.npos;
  if (shared_.size() < kMaxShared && is_label && !family.starts_with(FamilyMiner::kPrefix))
    shared_.push_back(family);
}

FamilyEvidence& RouteEvidence::family(std::string_view name) {
  if (const auto known = families_.find(name); known != families_.end()) return known->second;
  const bool room = families_.size() + (families_.contains(kOther) ? 0 : 1) < kMaxFamilies;
  if (name.empty() || !room) name = kOther;
  const auto [family, is_new] = families_.try_emplace(std::string(name));
  if (is_new) share(family->first);
  return family->second;
}

void RouteEvidence::record_pair(std::string_view family_name, const PairOutcome& pair,
                                std::chrono::system_clock::time_point now) {
  const std::int64_t hour = hour_of(now);
  if (std::exchange(last_hour_, hour) != hour) ++hours_;
  const PairMarks marks = marks_of(pair);
  const auto spend = spend_of(pair);
  const auto count = [&](FamilyEvidence& evidence) {
    ++evidence.pairs;
    evidence.extra_pairs += pair.in_pool ? 0 : 1;
    evidence.add(marks, hour, stage_.has_value());
    // Money is added up over the families, too, so it stays with what stands for all traffic.
    if (!spend || !pair.in_pool) return;
    evidence.primary.merge(spend->primary);
    evidence.candidate.merge(spend->candidate);
  };
  count(family(family_name));
  if (pair.in_pool) {
    count(pooled_);
    traffic_.add_pair(now);
  }
  record_examples(family_name.empty() ? kOther : family_name, pair, now);
  if (spend && pair.cost && pair.in_pool)
    record_prices(pair.cost->prices_as_of, pair.cost->prices_as_of);
  if (!both_answered(pair) || !pair.in_pool) return;
  style_.add_pair(pair.comparison);
  count_language(pair.language, 1);
  for (const Observation* seen : {&pair.served, &pair.other}) {
    const auto variant = static_cast<std::size_t>(seen->variant);
    latency_[variant].add(milliseconds(seen->total));
    if (seen->first_token) first_token_[variant].add(milliseconds(*seen->first_token));
  }
}

void RouteEvidence::record_triple(std::string_view family_name, const Comparison& shadow,
                                  const Comparison& control, bool in_pool) {
  const PairMarks marks = marks_of_triple(shadow, control);
  const Finding* const own = find(control, Signal::containment);
  const Finding* const other = find(shadow, Signal::containment);
  const auto count = [&](FamilyEvidence& evidence) {
    ++evidence.triples;
    if (own && other) evidence.containment.add(own->value, other->value);
    evidence.add(marks, last_hour_, stage_.has_value());
  };
  count(family(family_name));
  if (!in_pool) return;
  count(pooled_);
  style_.add_triple(shadow, control);
}

void RouteEvidence::record_failure(std::string_view family_name, const FailedAttempts& failed,
                                   std::chrono::system_clock::time_point now) {
  const PairMarks marks = marks_of(failed);
  const auto count = [&](FamilyEvidence& evidence) {
    evidence.add(marks, hour_of(now), stage_.has_value());
  };
  count(family(family_name));
  if (failed.in_pool) count(pooled_);
}

void RouteEvidence::record_examples(std::string_view family_name, const PairOutcome& pair,
                                    std::chrono::system_clock::time_point now) {
  if (pair.exchange_id.empty()) return;
  const std::int64_t second =
      std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  const auto known = families_.find(family_name);
  const double farther =
      known == families_.end() ? 0.0 : beyond_spread(known->second, pair.comparison);
  for (const Finding& finding : pair.comparison.findings) {
    const auto gate = routing::gate_of(label(finding.signal));
    double weight = gate ? weight_of(*gate, finding) : 0.0;
    // Of pairs that are as bad, the one that shows most.
    if (weight > 0.0 && gate_kind(*gate) != GateKind::ratio) weight += farther;
    if (weight > 0.0 && examples_.wants(*gate, weight, second))
      examples_.add(*gate, example_of(family_name, pair, finding, weight, second));
  }
}

void RouteEvidence::record_validation_error(std::string_view family_name,
                                            std::string_view headline) {
  validation_errors_.add(headline, family_name.empty() ? kOther : family_name);
}

// Languages beyond the bound are another one.
void RouteEvidence::count_language(std::string_view language, std::uint64_t pairs) {
  if (language.empty()) return;
  const auto known = languages_.find(language);
  if (known != languages_.end()) {
    known->second += pairs;
    return;
  }
  const bool room = languages_.size() + (languages_.contains(kOther) ? 0 : 1) < kMaxLanguages;
  languages_[std::string(room ? language : kOther)] += pairs;
}

// Days written like this sort as they follow each other.
void RouteEvidence::record_prices(std::string_view oldest, std::string_view newest) {
  if (oldest.empty()) return;
  if (oldest_prices_.empty() || oldest < oldest_prices_) oldest_prices_ = oldest;
  if (newest > newest_prices_) newest_prices_ = newest;
}

std::string RouteEvidence::prices_as_of() const {
  return oldest_prices_ == newest_prices_ ? newest_prices_
                                          : oldest_prices_ + " to " + newest_prices_;
}

bool RouteEvidence::begin_stage(std::string_view name, std::chrono::system_clock::time_point now) {
  if (stage_ && stage_->name == name) return false;
  stage_ = Stage{.name = std::string(name),
                 .ordinal = stage_ ? stage_->ordinal + 1 : 1,
                 .since = std::chrono::floor<std::chrono::seconds>(now)};
  pooled_.stage = {};
  for (auto& [family_name, evidence] : families_) evidence.stage = {};
  return true;
}

void RouteEvidence::latch(std::string_view family_name, std::size_t gate, ProcessOrigin origin,
                          double threshold) {
  if (const auto known = families_.find(family_name); known != families_.end())
    known->second.latch(gate, origin, threshold);
}

void RouteEvidence::latch_as(const RouteEvidence& before) {
  const FamilyEvidence& pooled = before.pooled_;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (pooled.alarmed.test(gate))
      latch_pooled(gate, pooled.alarmed_by[gate], pooled.alarmed_at[gate]);
    for (const auto& [name, evidence] : before.families_) {
      if (evidence.alarmed.test(gate))
        latch(name, gate, evidence.alarmed_by[gate], evidence.alarmed_at[gate]);
    }
  }
  quantile_alarms_.merge(before.quantile_alarms_);
}

// Stages of one name are of one rollout; of two, the later one is going on.
void RouteEvidence::merge_stage(const RouteEvidence& other) {
  if (!other.stage_ ||
      (stage_ && stage_->name != other.stage_->name && stage_->since >= other.stage_->since))
    return;
  const bool same = stage_ && stage_->name == other.stage_->name;
  if (!same) {
    pooled_.stage = {};
    for (auto& [name, evidence] : families_) evidence.stage = {};
  }
  const std::int64_t ordinal = stage_ ? stage_->ordinal : 0;
  const auto since = same ? std::min(stage_->since, other.stage_->since) : other.stage_->since;
  stage_ = Stage{other.stage_->name, std::max(ordinal, other.stage_->ordinal), since};
  pooled_.stage.merge(other.pooled_.stage);
  for (const auto& [name, evidence] : other.families_) family(name).stage.merge(evidence.stage);
}

void RouteEvidence::merge(const RouteEvidence& other) {
  since_ = std::min(since_, other.since_);
  pooled_.merge(other.pooled_);
  for (const auto& [name, evidence] : other.families_) family(name).merge(evidence);
  merge_stage(other);
  missing_ += other.missing_;
  repeats_ += other.repeats_;
  validation_errors_.merge(other.validation_errors_);
  examples_.merge(other.examples_);
  traffic_.merge(other.traffic_);
  record_copies(other.copies_);
  record_prices(other.oldest_prices_, other.newest_prices_);
  // Proxies of one fleet see the same hours.
  hours_ = std::max(hours_, other.hours_);
  last_hour_ = std::max(last_hour_, other.last_hour_);
  for (std::size_t variant = 0; variant < latency_.size(); ++variant) {
    latency_[variant].merge(other.latency_[variant]);
    first_token_[variant].merge(other.first_token_[variant]);
  }
  quantile_alarms_.merge(other.quantile_alarms_);
  style_.merge(other.style_);
  for (const auto& [language, pairs] : other.languages_) count_language(language, pairs);
}

}  // namespace understudy::metrics
