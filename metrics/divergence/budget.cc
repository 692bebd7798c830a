// What an answer takes: time and money, as the logarithm of other / served.

#include <cmath>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

std::optional<Finding> ratio(Signal signal, double served, double other) {
  if (!(served > 0.0) || !(other > 0.0)) return std::nullopt;
  const double value = std::log(other) - std::log(served);
  if (!std::isfinite(value)) return std::nullopt;
  return Finding{.signal = signal, .diverges = std::abs(value) > kNoticeable, .value = value};
}

double seconds(nanoseconds time) noexcept {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

std::optional<Finding> latency(const Pair& pair) {
  if (!both_answered(pair)) return std::nullopt;
  return ratio(Signal::latency, seconds(pair.served.total), seconds(pair.other.total));
}

std::optional<Finding> first_token(const Pair& pair) {
  if (!both_answered(pair)) return std::nullopt;
  return ratio(Signal::first_token, seconds(pair.served.first_token.value_or(nanoseconds{})),
               seconds(pair.other.first_token.value_or(nanoseconds{})));
}

std::optional<Finding> cost(const Pair& pair) {
  if (!both_answered(pair)) return std::nullopt;
  return ratio(Signal::cost, pair.served.cost_usd.value_or(0.0), pair.other.cost_usd.value_or(0.0));
}

}  // namespace understudy::metrics::divergence
