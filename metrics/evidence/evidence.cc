#include "metrics/evidence/evidence.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "metrics/redaction.h"

namespace understudy::metrics {
namespace {

// D of -1, 0 or +1 as one of three values.
std::size_t value_of(bool candidate, bool reference) noexcept {
  return 1u + (candidate ? 1u : 0u) - (reference ? 1u : 0u);
}

const Finding* find(const Comparison& comparison, std::string_view signal) noexcept {
  for (const Finding& finding : comparison.findings) {
    if (label(finding.signal) == signal) return &finding;
  }
  return nullptr;
}

bool is_about_errors(std::size_t gate) noexcept {
  const std::string_view signal = routing::kGates[gate].signal;
  return signal == "validation_error" || signal == "error_class";
}

// Of a failed attempt nothing is known but that it failed.
bool both_answered(const PairOutcome& pair) noexcept {
  return pair.served.error_class == ErrorClass::ok && pair.other.error_class == ErrorClass::ok;
}

void count_flag(GateCounts& counts, const Finding* finding, bool served_by_candidate) noexcept {
  // Where a signal does not apply, neither side is bad: prose breaks no JSON contract.
  bool primary = finding && finding->served_bad;
  bool candidate = finding && finding->other_bad;
  if (served_by_candidate) std::swap(primary, candidate);
  ++counts.values[value_of(candidate, primary)];
  ++counts.primary_pairs;
  ++counts.candidate_pairs;
  counts.primary_bad += primary ? 1 : 0;
  counts.candidate_bad += candidate ? 1 : 0;
}

void count_ratio(GateCounts& counts, const Finding* finding, bool served_by_candidate) noexcept {
  if (!finding || !std::isfinite(finding->value)) return;
  const double log_ratio = served_by_candidate ? -finding->value : finding->value;
  ++counts.values[value_of_ratio(std::exp(log_ratio))];
  ++counts.candidate_pairs;
}

void count_pair(FamilyEvidence& into, const PairOutcome& pair) noexcept {
  ++into.pairs;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (!is_about_errors(gate) && !both_answered(pair)) continue;
    GateCounts& counts = into.gates[gate];
    const Finding* finding = find(pair.comparison, routing::kGates[gate].signal);
    switch (gate_kind(gate)) {
      case GateKind::flag:
        count_flag(counts, finding, pair.served_by_candidate);
        break;
      case GateKind::ratio:
        count_ratio(counts, finding, pair.served_by_candidate);
        break;
      case GateKind::noise:
        ++counts.candidate_pairs;
        counts.candidate_bad += finding && finding->diverges ? 1 : 0;
        break;
    }
  }
}

struct PairSpend {
  PairedSpend primary, candidate;
};

// None where a side does not tell its usage: an unknown is no zero.
std::optional<PairSpend> spend_of(const PairOutcome& pair) noexcept {
  if (!both_answered(pair) || pair.served.usage.missing() || pair.other.usage.missing())
    return std::nullopt;
  PairSpend spend{metrics::spend_of(pair.served), metrics::spend_of(pair.other)};
  if (pair.served_by_candidate) std::swap(spend.primary, spend.candidate);
  if (!pair.cost) return spend;
  spend.primary.priced = spend.candidate.priced = 1;
  spend.primary.cost_usd = pair.cost->primary.total();
  spend.primary.at_candidate_prices = pair.cost->primary_at_candidate_prices;
  spend.candidate.cost_usd = pair.cost->candidate.total();
  spend.candidate.at_candidate_prices = pair.cost->candidate;
  return spend;
}

void count_triple(FamilyEvidence& into, const Comparison& shadow,
                  const Comparison& control) noexcept {
  ++into.triples;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (gate_kind(gate) != GateKind::noise) continue;
    GateCounts& counts = into.gates[gate];
    const std::string_view signal = routing::kGates[gate].signal;
    const Finding* other = find(shadow, signal);
    const Finding* again = find(control, signal);
    const bool noise = again && again->diverges;
    ++counts.values[value_of(other && other->diverges, noise)];
    ++counts.primary_pairs;
    counts.primary_bad += noise ? 1 : 0;
  }
}

// How much a pair says against the candidate at a gate; 0: nothing.
double weight_of(std::size_t gate, const Finding& finding, bool served_by_candidate) noexcept {
  switch (gate_kind(gate)) {
    case GateKind::ratio:
      return std::isfinite(finding.value) ? (served_by_candidate ? -finding.value : finding.value)
                                          : 0.0;
    case GateKind::noise:
      return finding.diverges ? 1.0 : 0.0;
    case GateKind::flag:
      break;
  }
  const bool primary = served_by_candidate ? finding.other_bad : finding.served_bad;
  const bool candidate = served_by_candidate ? finding.served_bad : finding.other_bad;
  return candidate && !primary ? 1.0 : 0.0;
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
  const Observation& primary = pair.served_by_candidate ? pair.other : pair.served;
  const Observation& candidate = pair.served_by_candidate ? pair.served : pair.other;
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

GateKind gate_kind(std::size_t gate) noexcept {
  const routing::GateDefault& of = routing::kGates[gate];
  if (of.unit == routing::GateUnit::ratio) return GateKind::ratio;
  // Two answers of one model may differ in these, too.
  const bool noisy = of.signal == "label" || of.signal == "number" || of.signal == "language" ||
                     of.signal == "tool_agreement";
  return noisy ? GateKind::noise : GateKind::flag;
}

std::size_t gate_values(std::size_t gate) noexcept {
  return gate_kind(gate) == GateKind::ratio ? kRatioValues : kFlagValues;
}

std::uint64_t GateCounts::total() const noexcept {
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

void GateCounts::merge(const GateCounts& other) noexcept {
  for (std::size_t k = 0; k < values.size(); ++k) values[k] += other.values[k];
  candidate_pairs += other.candidate_pairs;
  candidate_bad += other.candidate_bad;
  primary_pairs += other.primary_pairs;
  primary_bad += other.primary_bad;
}

void FamilyEvidence::merge(const FamilyEvidence& other) noexcept {
  pairs += other.pairs;
  triples += other.triples;
  for (std::size_t gate = 0; gate < kGateCount; ++gate) gates[gate].merge(other.gates[gate]);
  alarmed |= other.alarmed;
  primary.merge(other.primary);
  candidate.merge(other.candidate);
}

RouteEvidence::RouteEvidence(std::string experiment, std::chrono::system_clock::time_point since)
    : experiment_(std::move(experiment)), since_(since) {}

FamilyEvidence& RouteEvidence::family(std::string_view name) {
  if (const auto known = families_.find(name); known != families_.end()) return known->second;
  const bool room = families_.size() + (families_.contains(kOther) ? 0 : 1) < kMaxFamilies;
  if (name.empty() || !room) name = kOther;
  return families_[std::string(name)];
}

void RouteEvidence::record_pair(std::string_view family_name, const PairOutcome& pair,
                                std::chrono::system_clock::time_point now) {
  const auto spend = spend_of(pair);
  for (FamilyEvidence* evidence : {&pooled_, &family(family_name)}) {
    count_pair(*evidence, pair);
    if (!spend) continue;
    evidence->primary.merge(spend->primary);
    evidence->candidate.merge(spend->candidate);
  }
  record_examples(family_name.empty() ? kOther : family_name, pair, now);
  if (spend && pair.cost) record_prices(pair.cost->prices_as_of, pair.cost->prices_as_of);
  const std::int64_t hour = std::chrono::floor<std::chrono::hours>(now).time_since_epoch().count();
  if (std::exchange(last_hour_, hour) != hour) ++hours_;
  if (!both_answered(pair)) return;
  for (const Observation* seen : {&pair.served, &pair.other}) {
    const auto variant = static_cast<std::size_t>(seen->variant);
    latency_[variant].add(milliseconds(seen->total));
    if (seen->first_token) first_token_[variant].add(milliseconds(*seen->first_token));
  }
}

void RouteEvidence::record_triple(std::string_view family_name, const Comparison& shadow,
                                  const Comparison& control) {
  for (FamilyEvidence* evidence : {&pooled_, &family(family_name)})
    count_triple(*evidence, shadow, control);
}

void RouteEvidence::record_examples(std::string_view family_name, const PairOutcome& pair,
                                    std::chrono::system_clock::time_point now) {
  if (pair.exchange_id.empty()) return;
  const std::int64_t second =
      std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  for (const Finding& finding : pair.comparison.findings) {
    const auto gate = routing::gate_of(label(finding.signal));
    const double weight = gate ? weight_of(*gate, finding, pair.served_by_candidate) : 0.0;
    if (weight > 0.0 && examples_.wants(*gate, weight, second))
      examples_.add(*gate, example_of(family_name, pair, finding, weight, second));
  }
}

void RouteEvidence::record_validation_error(std::string_view family_name,
                                            std::string_view headline) {
  validation_errors_.add(headline, family_name.empty() ? kOther : family_name);
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

void RouteEvidence::latch(std::string_view family_name, std::size_t gate) {
  if (const auto known = families_.find(family_name); known != families_.end())
    known->second.alarmed.set(gate);
}

void RouteEvidence::merge(const RouteEvidence& other) {
  since_ = std::min(since_, other.since_);
  pooled_.merge(other.pooled_);
  for (const auto& [name, evidence] : other.families_) family(name).merge(evidence);
  missing_ += other.missing_;
  repeats_ += other.repeats_;
  validation_errors_.merge(other.validation_errors_);
  examples_.merge(other.examples_);
  traffic_.merge(other.traffic_);
  record_prices(other.oldest_prices_, other.newest_prices_);
  // Proxies of one fleet see the same hours.
  hours_ = std::max(hours_, other.hours_);
  last_hour_ = std::max(last_hour_, other.last_hour_);
  for (std::size_t variant = 0; variant < latency_.size(); ++variant) {
    latency_[variant].merge(other.latency_[variant]);
    first_token_[variant].merge(other.first_token_[variant]);
  }
}

}  // namespace understudy::metrics
