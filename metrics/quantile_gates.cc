#include "metrics/quantile_gates.h"

#include "metrics/evidence/alarm_watch.h"
#include "metrics/verdict_text.h"

namespace understudy::metrics {
namespace {

using routing::Variant;

constexpr double kShown = 0.05;  // of the bounds that are shown, and of safety
constexpr double kTests = 2.0 * kQuantiles.size();

bool is_above(const TimeSketch& candidate, const TimeSketch& primary, double p, double alpha,
              double factor) noexcept {
  // Most often the quantiles themselves settle it.
  const auto own = candidate.quantile(p), reference = primary.quantile(p);
  if (!own || !reference || *own <= *reference * factor) return false;
  const auto low = candidate.quantile_bounds(p, alpha / 2.0);
  const auto high = primary.quantile_bounds(p, alpha / 2.0);
  return low && high && low->low > high->high * factor;
}

bool is_below(const TimeSketch& candidate, const TimeSketch& primary, double p, double alpha,
              double factor) noexcept {
  const auto high = candidate.quantile_bounds(p, alpha / 2.0);
  const auto low = primary.quantile_bounds(p, alpha / 2.0);
  return high && low && high->high < low->low * factor;
}

const std::optional<routing::GateThresholds>& thresholds_of(const routing::VerdictConfig& rules) {
  static const std::size_t kLatency = routing::gate_of("latency").value();
  return rules.gates[kLatency];
}

// One of kTimes, of both variants.
struct Times {
  const TimeSketch& primary;
  const TimeSketch& candidate;
};

Times times_of(const RouteEvidence& evidence, std::size_t time) {
  if (kTimes[time] == "latency")
    return {evidence.latency(Variant::primary), evidence.latency(Variant::candidate)};
  return {evidence.first_token(Variant::primary), evidence.first_token(Variant::candidate)};
}

bool alarms(const Times& times, double p, const routing::VerdictConfig& rules, double threshold) {
  return is_above(times.candidate, times.primary, p, pooled_alpha(rules) / kTests, 1.0 + threshold);
}

QuantileResult::Side side_of(const TimeSketch& sketch, double p) {
  return {sketch.count(), sketch.quantile(p), sketch.quantile_bounds(p, kShown)};
}

GateState state_of(const RouteEvidence& evidence, std::size_t time, std::size_t quantile,
                   const routing::VerdictConfig& rules) {
  const auto& thresholds = thresholds_of(rules);
  if (!thresholds) return GateState::info;
  const Times times = times_of(evidence, time);
  const double p = kQuantiles[quantile];
  if (evidence.quantile_alarms().stands(time, quantile, thresholds->alarm) ||
      alarms(times, p, rules, thresholds->alarm))
    return GateState::alarm;
  const bool is_safe =
      is_below(times.candidate, times.primary, p, kShown, 1.0 + thresholds->margin);
  return is_safe ? GateState::safe : GateState::open;
}

template <typename Visit>
void for_each_quantile(const Visit& visit) {
  for (std::size_t time = 0; time < kTimes.size(); ++time) {
    for (std::size_t quantile = 0; quantile < kQuantiles.size(); ++quantile) visit(time, quantile);
  }
}

}  // namespace

std::vector<QuantileResult> judge_quantiles(const RouteEvidence& evidence,
                                            const routing::VerdictConfig& rules) {
  std::vector<QuantileResult> results;
  for_each_quantile([&](std::size_t time, std::size_t quantile) {
    const Times times = times_of(evidence, time);
    QuantileResult& result = results.emplace_back();
    result.signal = kTimes[time];
    result.quantile = kQuantiles[quantile];
    result.state = state_of(evidence, time, quantile, rules);
    result.primary = side_of(times.primary, result.quantile);
    result.candidate = side_of(times.candidate, result.quantile);
    result.text = text_of(result);
  });
  return results;
}

void latch_quantiles(RouteEvidence& evidence, const routing::VerdictConfig& rules) {
  const auto& thresholds = thresholds_of(rules);
  if (!thresholds) return;
  for_each_quantile([&](std::size_t time, std::size_t quantile) {
    if (alarms(times_of(evidence, time), kQuantiles[quantile], rules, thresholds->alarm))
      evidence.latch_quantile(time, quantile, thresholds->alarm);
  });
}

}  // namespace understudy::metrics
