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

QuantileResult judge_quantile(std::string_view signal, double p, const TimeSketch& primary,
                              const TimeSketch& candidate, const routing::VerdictConfig& rules) {
  const std::size_t latency = routing::gate_of("latency").value();
  QuantileResult result;
  result.signal = signal;
  result.quantile = p;
  result.primary = {primary.count(), primary.quantile(p), primary.quantile_bounds(p, kShown)};
  result.candidate = {candidate.count(), candidate.quantile(p),
                      candidate.quantile_bounds(p, kShown)};
  const auto& thresholds = rules.gates[latency];
  if (!thresholds) {
    result.state = GateState::info;
  } else if (is_above(candidate, primary, p, pooled_alpha(rules) / kTests,
                      1.0 + thresholds->alarm)) {
    result.state = GateState::alarm;
  } else if (is_below(candidate, primary, p, kShown, 1.0 + thresholds->margin)) {
    result.state = GateState::safe;
  }
  result.text = text_of(result);
  return result;
}

}  // namespace

std::vector<QuantileResult> judge_quantiles(const RouteEvidence& evidence,
                                            const routing::VerdictConfig& rules) {
  std::vector<QuantileResult> results;
  for (const double p : kQuantiles) {
    results.push_back(judge_quantile("latency", p, evidence.latency(Variant::primary),
                                     evidence.latency(Variant::candidate), rules));
  }
  for (const double p : kQuantiles) {
    results.push_back(judge_quantile("first_token", p, evidence.first_token(Variant::primary),
                                     evidence.first_token(Variant::candidate), rules));
  }
  return results;
}

}  // namespace understudy::metrics
