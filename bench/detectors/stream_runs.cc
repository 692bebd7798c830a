#include "bench/detectors/stream_runs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "bench/detectors/rivals.h"
#include "metrics/evidence/alarm_watch.h"
#include "metrics/quantile_gates.h"
#include "metrics/safety_forecast.h"
#include "metrics/verdict.h"

namespace understudy::bench {
namespace {

using metrics::RouteEvidence;

constexpr double kAlpha = 0.05;
constexpr std::size_t kFamilies = 20;
// What Bonferroni leaves of 5 % for each gate of each family.
constexpr double kCorrected = kAlpha / (metrics::kGateCount * kFamilies);
// Of the runs that look for a regression, after which they give up, in medians of the reference.
constexpr double kPatience = 8.0;

// The engine as the analysis thread runs it.
class Engine {
 public:
  explicit Engine(RouteEvidence evidence) : evidence_(std::move(evidence)) {}
  Engine() : Engine(RouteEvidence("bench", PairStream::begin())) {}

  void count(const StreamedPair& pair, const std::string& family, bool asked_again = true) {
    record(evidence_, pair, family, asked_again);
  }
  // True once anything alarms: a gate, or a quantile of times.
  bool look(const std::string& family) {
    watch_.look(evidence_);
    watch_.latch(evidence_);
    metrics::latch_quantiles(evidence_, rules);
    return evidence_.pooled().alarmed.any() || evidence_.families().at(family).alarmed.any() ||
           evidence_.quantile_alarms() != metrics::QuantileAlarms{};
  }
  metrics::Verdict judge() const { return metrics::judge(evidence_, rules, {}); }
  const RouteEvidence& evidence() const noexcept { return evidence_; }

  routing::VerdictConfig rules;

 private:
  RouteEvidence evidence_;
  metrics::AlarmWatch watch_{rules};
};

std::string first_named(const metrics::GateResult& reason) {
  return reason.family == metrics::kAllFamilies ? reason.leading_family : reason.family;
}

// What an alarm is told by. Quantiles stand behind the gates, and name no family.
struct FirstAlarm {
  std::string_view signal;
  std::string text;
};

FirstAlarm first_alarm(const metrics::Verdict& verdict) {
  const metrics::GateResult& reason = verdict.reasons.front();
  if (reason.state == metrics::GateState::alarm)
    return {routing::kGates[reason.gate].signal, reason.text};
  const auto slow = std::ranges::find(verdict.quantiles, metrics::GateState::alarm,
                                      &metrics::QuantileResult::state);
  return slow == verdict.quantiles.end() ? FirstAlarm{} : FirstAlarm{slow->signal, slow->text};
}

// Which family an alarm names: at once, or with the first alarm of a family's own.
std::string name_family(Engine& engine, PairStream& stream, std::uint64_t most) {
  for (std::uint64_t i = 0; i < most; ++i) {
    for (const auto& reason : engine.judge().reasons) {
      if (reason.state == metrics::GateState::alarm && !first_named(reason).empty())
        return first_named(reason);
    }
    for (int k = 0; k < 20; ++k) {
      const StreamedPair& pair = stream.next();
      engine.count(pair, stream.family_name(pair.family));
      engine.look(stream.family_name(pair.family));
    }
  }
  return {};
}

// As control_percent does, but for the families' own controls, which stay out of the pool.
bool is_asked_again(const Engine& engine, Controls controls, std::uint64_t pair) {
  constexpr std::uint64_t kOneIn = 50;  // 2 %
  return controls == Controls::of_all || pair % kOneIn == 0 ||
         metrics::wants_triples(engine.evidence().pooled(), engine.rules);
}

std::size_t affected_in(int run) {
  return static_cast<std::size_t>(run) % 10;  // 13 % to 3 % of the traffic
}

}  // namespace

const std::vector<Injection>& injections() {
  static const std::vector<Injection> kAll{
      {{"JSON in a fence, every answer", "json_contract", 1.0}, 17},
      {{"JSON wrapped in prose, 30 %", "json_contract", .3}, 56},
      {{"key renamed, 30 %", "json_contract", .3}, 56},
      {{"key missing, 5 %", "json_contract", .05}, 346},
      {{"number became text, 5 %", "json_contract", .05}, 346},
      {{"other label, 30 %", "label", .3}, 56},
      {{"tool that nobody offers, 5 %", "tool_contract", .05}, 346},
      {{"type of a tool's argument, 30 %", "tool_contract", .3}, 56},
      {{"refusals, 2 %", "refusal", .02}, 1017},
      {{"cut by max_tokens, 5 %", "truncation", .05}, 346},
      {{"other language, 30 %", "language", .3}, 56},
      {{"latency, +40 %", "latency", .4}, 78},
      {{"parameter refused, every request", "validation_error", 1.0}, 17},
      {{"empty answers, 2 %", "empty", .02}, 1017},
      {{"other values in JSON, 30 %", "json_agreement", .3}, 56},
  };
  return kAll;
}

double quantile_of(const Delays& delays, double p) {
  std::vector<double> sorted;
  for (const auto& delay : delays)
    sorted.push_back(delay.value_or(std::numeric_limits<double>::infinity()));
  if (sorted.empty()) return std::numeric_limits<double>::infinity();
  std::ranges::sort(sorted);
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

double share_within(const Delays& delays, double pairs) {
  const auto found =
      std::ranges::count_if(delays, [&](const auto& delay) { return delay && *delay <= pairs; });
  return static_cast<double>(found) / static_cast<double>(std::max<std::size_t>(delays.size(), 1));
}

FalseAlarms false_alarms(const StreamPlan& plan, int runs, std::uint64_t pairs,
                         std::uint64_t seed) {
  FalseAlarms found{.runs = runs};
  for (int run = 0; run < runs; ++run) {
    PairStream stream(plan, seed + static_cast<std::uint64_t>(run));
    Engine engine;
    DiffyRule diffy(plan.families);
    FixedHorizonTests fixed(plan.families, kAlpha), corrected(plan.families, kCorrected);
    bool engine_alarms = false, diffy_alarms = false, fixed_alarms = false,
         corrected_alarms = false;
    for (std::uint64_t i = 0; i < pairs; ++i) {
      const StreamedPair& pair = stream.next();
      const std::string& family = stream.family_name(pair.family);
      if (!diffy_alarms) {
        diffy.count(pair);
        diffy_alarms = diffy.reported().has_value();
      }
      if (!fixed_alarms) {
        fixed.count(pair);
        fixed_alarms = fixed.reported().has_value();
      }
      if (!corrected_alarms) {
        corrected.count(pair);
        corrected_alarms = corrected.reported().has_value();
      }
      if (engine_alarms) continue;
      engine.count(pair, family);
      engine_alarms = engine.look(family);
    }
    found.engine += engine_alarms ? 1 : 0;
    found.diffy += diffy_alarms ? 1 : 0;
    found.fixed += fixed_alarms ? 1 : 0;
    found.fixed_corrected += corrected_alarms ? 1 : 0;
    if (engine_alarms) {
      const metrics::Verdict verdict = engine.judge();
      found.by_quantile += verdict.reasons.front().state == metrics::GateState::alarm ? 0 : 1;
      found.whose.push_back("run " + std::to_string(run) + ": " + first_alarm(verdict).text);
    }
  }
  return found;
}

Detection detect(const Injection& injection, int runs, std::uint64_t seed) {
  Detection found;
  const auto gate = routing::gate_of(injection.regression.signal);
  for (int run = 0; run < runs; ++run) {
    PairStream stream({}, seed + static_cast<std::uint64_t>(run));
    const std::size_t affected = affected_in(run);
    stream.regress(injection.regression, affected);
    Engine engine;
    DiffyRule diffy(kFamilies);
    FixedHorizonTests corrected(kFamilies, kCorrected);
    std::optional<double> by_engine, by_diffy, by_corrected;
    const double most = kPatience * injection.median_pairs;
    while (static_cast<double>(stream.affected_pairs()) < most &&
           (!by_engine || !by_diffy || !by_corrected)) {
      const StreamedPair& pair = stream.next();
      const std::string& family = stream.family_name(pair.family);
      const auto now = static_cast<double>(stream.affected_pairs());
      diffy.count(pair);
      corrected.count(pair);
      if (pair.family == affected && !by_diffy && diffy.reported() == gate) by_diffy = now;
      if (pair.family == affected && !by_corrected && corrected.reported() == gate)
        by_corrected = now;
      if (by_engine) continue;
      engine.count(pair, family);
      if (!engine.look(family)) continue;
      by_engine = now;
      const FirstAlarm first = first_alarm(engine.judge());
      PairStream on = stream;
      const std::string named = name_family(engine, on, 500);
      found.right_signal += first.signal == injection.regression.signal ? 1 : 0;
      found.right_family += named == stream.family_name(affected) ? 1 : 0;
      if (first.signal != injection.regression.signal || named != stream.family_name(affected))
        found.misnamed.push_back("run " + std::to_string(run) + ": " + named + ": " + first.text);
    }
    found.engine.push_back(by_engine);
    found.diffy.push_back(by_diffy);
    found.fixed_corrected.push_back(by_corrected);
  }
  return found;
}

GoodPeriod good_period(std::uint64_t pairs, std::uint64_t seed) {
  GoodPeriod period{PairStream({}, seed), RouteEvidence("bench", PairStream::begin())};
  for (std::uint64_t i = 0; i < pairs; ++i) {
    const StreamedPair& pair = period.stream.next();
    record(period.evidence, pair, period.stream.family_name(pair.family));
  }
  return period;
}

LateDetection detect_late(const Injection& injection, const std::vector<GoodPeriod>& after) {
  LateDetection found;
  const std::size_t gate = routing::gate_of(injection.regression.signal).value();
  const metrics::Bets bets(metrics::Null::mean_at_most,
                           metrics::mean_at(gate, routing::kGates[gate].thresholds.alarm),
                           metrics::gate_values(gate));
  const double whole_level = metrics::log_threshold(metrics::family_alpha({}, kFamilies));
  for (std::size_t run = 0; run < after.size(); ++run) {
    PairStream stream = after[run].stream;
    Engine engine(after[run].evidence);
    const std::size_t affected = affected_in(static_cast<int>(run));
    stream.regress(injection.regression, affected);
    std::optional<double> by_engine, by_whole;
    const double most = kPatience * injection.median_pairs;
    while (static_cast<double>(stream.affected_pairs()) < most && (!by_engine || !by_whole)) {
      const StreamedPair& pair = stream.next();
      const std::string& family = stream.family_name(pair.family);
      engine.count(pair, family);
      const auto now = static_cast<double>(stream.affected_pairs());
      const auto& counts = engine.evidence().families().at(family).gates[gate];
      if (!by_whole && pair.family == affected &&
          bets.log_e(counts.counts(gate), 1.0) >= whole_level)
        by_whole = now;
      if (!by_engine && engine.look(family)) by_engine = now;
    }
    found.engine.push_back(by_engine);
    found.whole_only.push_back(by_whole);
  }
  return found;
}

AtTheMargin at_the_margin(std::string_view signal, int runs, std::uint64_t pairs,
                          std::uint64_t seed) {
  AtTheMargin found{.runs = runs};
  const std::size_t gate = routing::gate_of(signal).value();
  const double margin = routing::kGates[gate].thresholds.margin;
  const metrics::Bets bets(metrics::Null::mean_at_least, metrics::mean_at(gate, margin),
                           metrics::gate_values(gate));
  for (int run = 0; run < runs; ++run) {
    PairStream stream({}, seed + static_cast<std::uint64_t>(run));
    stream.regress({"margin", signal, margin / (1.0 - StreamPlan{}.noise)}, std::nullopt);
    Engine engine;
    engine.rules.min_hours = 0;
    bool gate_safe = false, verdict_safe = false;
    for (std::uint64_t i = 1; i <= pairs; ++i) {
      const StreamedPair& pair = stream.next();
      engine.count(pair, stream.family_name(pair.family));
      const auto& counts = engine.evidence().pooled().gates[gate];
      gate_safe =
          gate_safe || bets.log_e(counts.counts(gate), 1.0) >= metrics::log_threshold(kAlpha);
      if (verdict_safe || i % 100 != 0) continue;
      engine.look(stream.family_name(pair.family));
      verdict_safe = gate_safe && engine.judge().state == metrics::VerdictState::safe_to_promote;
    }
    found.gate_ever_safe += gate_safe ? 1 : 0;
    found.verdict_ever_safe += verdict_safe ? 1 : 0;
  }
  return found;
}

UntilSafe pairs_until_safe(int runs, std::uint64_t min_pairs_per_family, std::uint64_t most,
                           std::uint64_t seed, Controls controls) {
  constexpr std::array<std::uint64_t, 3> kAsked{300, 600, 1'200};
  UntilSafe found;
  for (const std::uint64_t after : kAsked) found.foretold.push_back({after});
  for (int run = 0; run < runs; ++run) {
    PairStream stream({}, seed + static_cast<std::uint64_t>(run));
    Engine engine;
    engine.rules.min_hours = 0;
    engine.rules.min_pairs_per_family = min_pairs_per_family;
    std::optional<double> safe;
    std::map<std::uint64_t, std::optional<double>> told;  // by pairs seen: how many in all
    for (std::uint64_t i = 1; i <= most && !safe; ++i) {
      const StreamedPair& pair = stream.next();
      engine.count(pair, stream.family_name(pair.family), is_asked_again(engine, controls, i));
      if (i % 100 != 0) continue;
      engine.look(stream.family_name(pair.family));
      const metrics::Verdict verdict = engine.judge();
      if (verdict.state == metrics::VerdictState::safe_to_promote) {
        safe = static_cast<double>(i);
      } else if (std::ranges::count(kAsked, i) > 0) {
        const auto needed = verdict.pairs_needed;
        told[i] = needed ? std::optional(static_cast<double>(i + *needed)) : std::nullopt;
      }
    }
    found.pairs.push_back(safe);
    for (auto& [after, ratio] : found.foretold) {
      if (!safe || !told.contains(after)) continue;
      const std::optional<double> in_all = told[after];
      ratio.push_back(in_all ? std::optional(*in_all / *safe) : std::nullopt);
    }
  }
  return found;
}

}  // namespace understudy::bench
