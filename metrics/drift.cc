#include "metrics/drift.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <span>

#include "metrics/evidence/alarm_watch.h"

namespace understudy::metrics {
namespace {

using routing::kGates;
using std::chrono::hours;
using std::chrono::sys_seconds;

constexpr double kAlpha = 0.05;  // of false alarms over the whole watch, all signals together
constexpr double kOnWhole = 0.80, kOnHours = 0.20;
constexpr double kSlownessOfHours = 168.0;  // as of the evidence's alarms
constexpr double kLargestMean = 1.0 - 1e-9;
constexpr double kNothing = -std::numeric_limits<double>::infinity();
constexpr std::array<std::string_view, kServedSignals + 1> kOthers{"error_rate", "fallback_rate",
                                                                   "first_token"};
constexpr std::size_t kLatency = *routing::gate_of("latency");

std::int64_t hour_of(sys_seconds moment) noexcept {
  return std::chrono::floor<hours>(moment).time_since_epoch().count();
}

double allow_difference(double mean, double allowance) {
  return mean_of_difference(difference_of_mean(mean) + allowance);
}
double allow_ratio(double mean, double allowance) {
  return mean_of_ratio(ratio_of_mean(mean) * (1.0 + allowance));
}
double allow_nothing(double mean, double) {
  return mean;
}

// None where something is gone that was there: the evidence is not the one the baseline was of.
std::optional<GateCounts> since_baseline(const GateCounts& now, const GateCounts& before) {
  const auto grew = [](std::uint64_t after, std::uint64_t earlier) { return after >= earlier; };
  GateCounts counts;
  for (std::size_t k = 0; k < counts.values.size(); ++k) {
    if (!grew(now.values[k], before.values[k])) return std::nullopt;
    counts.values[k] = now.values[k] - before.values[k];
  }
  if (!grew(now.candidate_pairs, before.candidate_pairs) ||
      !grew(now.candidate_bad, before.candidate_bad))
    return std::nullopt;
  counts.candidate_pairs = now.candidate_pairs - before.candidate_pairs;
  counts.candidate_bad = now.candidate_bad - before.candidate_bad;
  return counts;
}

std::array<std::uint64_t, 2> values_of(std::size_t served_signal, const ServedTally& tally) {
  const std::uint64_t bad = served_signal == 0 ? tally.errors : tally.fallbacks;
  const std::uint64_t counted = std::min(bad, tally.requests);
  return {tally.requests - counted, counted};
}

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

// How a signal's figures are said.
struct Wording {
  double scale = 100.0;
  std::string_view unit = " %", shortly = " %", of = " requests";
};

Wording wording(std::size_t signal) {
  if (signal == kFirstTokenSignal)
    return {.scale = 1.0, .unit = " s", .shortly = " s", .of = " streams"};
  if (signal >= kGateCount) return {};
  if (gate_kind(signal) != GateKind::ratio) return {.of = " pairs"};
  return {.scale = 1.0, .unit = " times the primary's", .shortly = " times", .of = " pairs"};
}

std::string text_of(const DriftFinding& found) {
  const Wording words = wording(found.signal);
  std::string text(drift_signal(found.signal));
  text.append(": ").append(number(words.scale * *found.after)).append(words.unit);
  text.append(" over ").append(std::to_string(found.seen)).append(words.of);
  text.append(" since the rollout was complete, ");
  text.append(number(words.scale * *found.before)).append(words.shortly).append(" during it");
  if (found.drifts) text.append(": worse than by chance");
  return text;
}

}  // namespace

void ServedTally::add(const ServedTally& other) noexcept {
  requests += other.requests;
  errors += other.errors;
  fallbacks += other.fallbacks;
}

std::string_view drift_signal(std::size_t signal) noexcept {
  return signal < kGateCount ? kGates[signal].signal : kOthers[signal - kGateCount];
}

FirstTokens first_tokens_of(const RouteEvidence& evidence) {
  const TimeSketch& times = evidence.first_token(routing::Variant::candidate);
  if (times.count() == 0) return {};
  double sum = 0.0;
  for (std::size_t key = 0; key < TimeSketch::kBuckets; ++key) {
    if (times.buckets()[key] > 0)
      sum += static_cast<double>(times.buckets()[key]) * std::log(TimeSketch::value_of(key));
  }
  const double usual_ms = std::exp(sum / static_cast<double>(times.count()));
  return {.usual_ms = usual_ms, .counts = first_tokens_against(evidence, usual_ms)};
}

FirstTokenCounts first_tokens_against(const RouteEvidence& evidence, double usual_ms) {
  const TimeSketch::Buckets& times = evidence.first_token(routing::Variant::candidate).buckets();
  FirstTokenCounts counts{};
  for (std::size_t key = 0; key < times.size(); ++key) {
    if (times[key] > 0) counts[value_of_ratio(TimeSketch::value_of(key) / usual_ms)] += times[key];
  }
  return counts;
}

std::optional<FirstTokenCounts> first_tokens_since(const FirstTokenCounts& now,
                                                   const FirstTokenCounts& before) noexcept {
  FirstTokenCounts since{};
  for (std::size_t k = 0; k < since.size(); ++k) {
    if (now[k] < before[k]) return std::nullopt;
    since[k] = now[k] - before[k];
  }
  return since;
}

// ln of a weighted sum of processes, and when the loudest of them began.
struct DriftJudge::Weight {
  double log_e = kNothing, loudest = kNothing;
  std::optional<sys_seconds> from;
  void add(double log, std::optional<sys_seconds> begun) {
    if (log == kNothing) return;
    const double larger = std::max(log_e, log);
    log_e = larger + std::log(std::exp(log_e - larger) + std::exp(log - larger));
    if (log <= loudest) return;
    loudest = log;
    from = begun;
  }
  void add_hour(double log, std::int64_t hour, std::int64_t first_hour) {
    add(std::log(kOnHours * share_of(hour - first_hour + 1, kSlownessOfHours)) + log,
        sys_seconds(hours(hour)));
  }
};

void DriftJudge::bet_on(std::size_t signal, ValueCounts before, double allowed_mean(double, double),
                        double allowance) {
  const double alpha = kAlpha / static_cast<double>(kDriftSignals) / 2.0;
  const double worst = confidence_sequence(before, alpha).high;
  const double null = std::min(allowed_mean(worst, allowance), kLargestMean);
  bets_.push_back({signal, mean_of(before), Bets(Null::mean_at_most, null, before.size())});
}

DriftJudge::DriftJudge(const DriftBaseline& baseline, const routing::VerdictConfig& rules)
    : baseline_(baseline),
      rules_(rules),
      threshold_(log_threshold(kAlpha / static_cast<double>(kDriftSignals) / 2.0)) {
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (!rules.gates[gate]) continue;
    const bool ratio = gate_kind(gate) == GateKind::ratio;
    bet_on(gate, baseline.gates[gate].counts(gate), ratio ? allow_ratio : allow_difference,
           rules.gates[gate]->alarm);
  }
  for (std::size_t served = 0; served < kServedSignals; ++served)
    bet_on(kGateCount + served, values_of(served, baseline.served), allow_nothing, 0.0);
  if (rules.gates[kLatency] && baseline.first_tokens.usual_ms > 0.0)
    bet_on(kFirstTokenSignal, baseline.first_tokens.counts, allow_ratio,
           rules.gates[kLatency]->alarm);
}

std::optional<DriftFinding> DriftJudge::judge_gate(const Bet& bet,
                                                   const RouteEvidence& evidence) const {
  const std::size_t gate = bet.signal;
  const FamilyEvidence& all = evidence.pooled();
  const GateCounts& before = baseline_.gates[gate];
  const auto later = since_baseline(all.gates[gate], before);
  if (!later || later->total() == 0) return std::nullopt;
  Weight weight;
  weight.add(std::log(kOnWhole) + bet.bets.log_e(later->counts(gate)), std::nullopt);
  const std::int64_t first = hour_of(baseline_.since) + 1;  // of which nothing is in the baseline
  SpanCounts since;
  for (auto span = all.recent.spans().rbegin(); span != all.recent.spans().rend(); ++span) {
    if (span->begin < first) break;
    since.merge(span->counts);
    weight.add_hour(bet.bets.log_e(since.values(gate), kNothing), span->begin, first);
  }
  const bool ratio = gate_kind(gate) == GateKind::ratio;
  DriftFinding found{.signal = gate, .drifts = weight.log_e >= threshold_, .seen = later->total()};
  found.before =
      ratio ? ratio_of_mean(bet.before) : share(before.candidate_bad, before.candidate_pairs);
  found.after = ratio ? ratio_of_mean(mean_of(later->counts(gate)))
                      : share(later->candidate_bad, later->candidate_pairs);
  found.from = weight.from;
  return found;
}

std::optional<DriftFinding> DriftJudge::judge_served(const Bet& bet,
                                                     const std::vector<ServedHour>& hours) const {
  const std::size_t signal = bet.signal - kGateCount;
  const std::int64_t first = hour_of(baseline_.since);
  ServedTally since;
  Weight weight;
  for (auto hour = hours.rbegin(); hour != hours.rend(); ++hour) {
    since.add(hour->tally);
    weight.add_hour(bet.bets.log_e(values_of(signal, since)), hour->hour, first);
  }
  if (since.requests == 0) return std::nullopt;
  const auto values = values_of(signal, since);
  weight.add(std::log(kOnWhole) + bet.bets.log_e(values), std::nullopt);
  DriftFinding found{
      .signal = bet.signal, .drifts = weight.log_e >= threshold_, .seen = since.requests};
  found.before = bet.before;
  found.after = share(values[1], since.requests);
  found.from = weight.from;
  return found;
}

std::optional<DriftFinding> DriftJudge::judge_first_tokens(
    const Bet& bet, const RouteEvidence& evidence, const std::vector<FirstTokenHour>& hours) const {
  const FirstTokens& before = baseline_.first_tokens;
  const auto later =
      first_tokens_since(first_tokens_against(evidence, before.usual_ms), before.counts);
  if (!later) return std::nullopt;
  DriftFinding found{.signal = kFirstTokenSignal};
  for (const std::uint64_t count : *later) found.seen += count;
  if (found.seen == 0) return std::nullopt;
  Weight weight;
  weight.add(std::log(kOnWhole) + bet.bets.log_e(*later), std::nullopt);
  const std::int64_t first = hour_of(baseline_.since);
  FirstTokenCounts since{};
  for (auto hour = hours.rbegin(); hour != hours.rend(); ++hour) {
    for (std::size_t k = 0; k < since.size(); ++k) since[k] += hour->counts[k];
    weight.add_hour(bet.bets.log_e(since), hour->hour, first);
  }
  constexpr double kSecond = 1'000.0;
  found.drifts = weight.log_e >= threshold_;
  found.before = before.usual_ms / kSecond;
  found.after = *found.before * ratio_of_mean(mean_of(*later)) / ratio_of_mean(bet.before);
  found.from = weight.from;
  return found;
}

std::vector<DriftFinding> DriftJudge::judge(const RouteEvidence* evidence,
                                            const std::vector<ServedHour>& hours,
                                            const std::vector<FirstTokenHour>& first_tokens) const {
  std::vector<DriftFinding> findings;
  for (const Bet& bet : bets_) {
    std::optional<DriftFinding> found;
    if (bet.signal == kFirstTokenSignal) {
      if (evidence != nullptr) found = judge_first_tokens(bet, *evidence, first_tokens);
    } else if (bet.signal >= kGateCount) {
      found = judge_served(bet, hours);
    } else if (evidence != nullptr) {
      found = judge_gate(bet, *evidence);
    }
    if (!found) continue;
    found->text = text_of(*found);
    findings.push_back(std::move(*found));
  }
  return findings;
}

}  // namespace understudy::metrics
