#include "metrics/statistics/proportions.h"

#include <algorithm>
#include <cmath>

namespace understudy::metrics {
namespace {

constexpr double kZ = 1.959963984540054;  // the normal quantile of 97.5 %

}  // namespace

Interval wilson(Proportion seen) noexcept {
  if (seen.total == 0) return {0.0, 1.0};
  const double n = static_cast<double>(seen.total);
  const double p = seen.rate();
  const double scale = 1.0 + kZ * kZ / n;
  const double centre = (p + kZ * kZ / (2.0 * n)) / scale;
  const double half = kZ * std::sqrt(p * (1.0 - p) / n + kZ * kZ / (4.0 * n * n)) / scale;
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Interval newcombe(Proportion before, Proportion after) noexcept {
  const Interval b = wilson(before);
  const Interval a = wilson(after);
  const double difference = after.rate() - before.rate();
  return {difference - std::hypot(after.rate() - a.low, b.high - before.rate()),
          difference + std::hypot(a.high - after.rate(), before.rate() - b.low)};
}

}  // namespace understudy::metrics
