#include "metrics/statistics/proportions.h"

#include <algorithm>
#include <cmath>

namespace understudy::metrics {

Interval wilson(Proportion seen, double z) noexcept {
  if (seen.total == 0) return {0.0, 1.0};
  const double n = static_cast<double>(seen.total);
  const double p = seen.rate();
  const double scale = 1.0 + z * z / n;
  const double centre = (p + z * z / (2.0 * n)) / scale;
  const double half = z * std::sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n)) / scale;
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
