#include "bench/detectors/fixed_horizon.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace understudy::bench {
namespace {

double two_sided(double z) noexcept {
  return std::erfc(std::abs(z) / std::numbers::sqrt2);
}

// U of x over y, and the sum of t^3 - t over tied groups.
MannWhitney from_ranks(double u, double n, double m, double ties) noexcept {
  const double all = n + m;
  const double variance = n * m / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
  MannWhitney result{.u = u, .cles = u / (n * m)};
  if (!(variance > 0.0)) return result;
  result.z = std::max(0.0, std::abs(u - n * m / 2.0) - 0.5) / std::sqrt(variance);
  result.p = two_sided(result.z);
  return result;
}

double square(double x) noexcept {
  return x * x;
}

}  // namespace

double two_proportion_p(Proportion before, Proportion after) noexcept {
  if (before.total == 0 || after.total == 0) return 1.0;
  const auto n = static_cast<double>(before.total), m = static_cast<double>(after.total);
  const double pooled = static_cast<double>(before.hits + after.hits) / (n + m);
  const double variance = pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m);
  if (!(variance > 0.0)) return 1.0;
  return two_sided((after.rate() - before.rate()) / std::sqrt(variance));
}

MannWhitney mann_whitney_of_counts(std::span<const std::uint64_t> x,
                                   std::span<const std::uint64_t> y) noexcept {
  double u = 0.0, below = 0.0, n = 0.0, m = 0.0, ties = 0.0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const auto a = static_cast<double>(x[k]), b = static_cast<double>(y[k]);
    u += a * (below + b / 2.0);
    below += b;
    n += a;
    m += b;
    ties += (a + b) * (square(a + b) - 1.0);
  }
  if (n == 0.0 || m == 0.0) return {};
  return from_ranks(u, n, m, ties);
}

}  // namespace understudy::bench
