#include "tests/metrics/textbook_bounds.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "bench/detectors/random.h"

namespace understudy::bench {
namespace {

double log_choose(double n, double k) noexcept {
  return std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0);
}

double square(double x) noexcept {
  return x * x;
}

}  // namespace

MannWhitney mann_whitney(std::span<const double> x, std::span<const double> y) {
  std::vector<double> cells(x.begin(), x.end());
  cells.insert(cells.end(), y.begin(), y.end());
  std::ranges::sort(cells);
  cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
  const auto counts = [&](std::span<const double> values) {
    std::vector<std::uint64_t> of(cells.size());
    for (const double value : values)
      ++of[static_cast<std::size_t>(std::ranges::lower_bound(cells, value) - cells.begin())];
    return of;
  };
  return mann_whitney_of_counts(counts(x), counts(y));
}

KolmogorovSmirnov kolmogorov_smirnov(std::vector<double> x, std::vector<double> y) {
  std::ranges::sort(x);
  std::ranges::sort(y);
  const auto n = static_cast<double>(x.size()), m = static_cast<double>(y.size());
  const auto share = [](const std::vector<double>& of, double value, double count) {
    return static_cast<double>(std::ranges::upper_bound(of, value) - of.begin()) / count;
  };
  KolmogorovSmirnov result;
  for (const auto* side : {&x, &y}) {
    for (const double value : *side)
      result.d = std::max(result.d, std::abs(share(x, value, n) - share(y, value, m)));
  }
  const double effective = std::sqrt(n * m / (n + m));
  const double lambda = (effective + 0.12 + 0.11 / effective) * result.d;
  double sum = 0.0;
  for (int k = 1; k <= 100; ++k)
    sum += (k % 2 == 1 ? 2.0 : -2.0) * std::exp(-2.0 * square(k * lambda));
  result.p = std::clamp(sum, 0.0, 1.0);
  return result;
}

Interval newcombe_paired(const PairTable& table) noexcept {
  const auto a = static_cast<double>(table.both), b = static_cast<double>(table.candidate_only);
  const auto c = static_cast<double>(table.primary_only), d = static_cast<double>(table.neither);
  const std::uint64_t n = table.both + table.candidate_only + table.primary_only + table.neither;
  if (n == 0) return {-1.0, 1.0};
  const Proportion candidate{table.both + table.candidate_only, n};
  const Proportion primary{table.both + table.primary_only, n};
  const Interval of_candidate = metrics::wilson(candidate), of_primary = metrics::wilson(primary);
  const double margins = (a + b) * (c + d) * (a + c) * (b + d);
  double numerator = a * d - b * c;
  if (numerator > 0.0) numerator = std::max(numerator - static_cast<double>(n) / 2.0, 0.0);
  const double phi = margins > 0.0 ? numerator / std::sqrt(margins) : 0.0;
  const double difference = candidate.rate() - primary.rate();
  const double low1 = candidate.rate() - of_candidate.low,
               high1 = of_candidate.high - candidate.rate();
  const double low2 = primary.rate() - of_primary.low, high2 = of_primary.high - primary.rate();
  const double below = square(low1) - 2.0 * phi * low1 * high2 + square(high2);
  const double above = square(low2) - 2.0 * phi * low2 * high1 + square(high1);
  return {difference - std::sqrt(std::max(0.0, below)),
          difference + std::sqrt(std::max(0.0, above))};
}

McNemar mcnemar_exact(const PairTable& table) noexcept {
  const auto n = static_cast<double>(table.candidate_only + table.primary_only);
  if (n == 0.0) return {};
  const auto point = [&](double k) { return std::exp(log_choose(n, k) - n * std::numbers::ln2); };
  const auto larger = static_cast<double>(std::max(table.candidate_only, table.primary_only));
  double tail = 0.0;
  for (double k = larger; k <= n; k += 1.0) tail += point(k);
  return {.one_sided = tail,
          .two_sided = std::min(1.0, 2.0 * tail),
          .mid_p = tail - point(larger) / 2.0};
}

BernsteinSequence empirical_bernstein(std::span<const double> values, double alpha) noexcept {
  const double log_two = std::log(2.0 / alpha);
  double sum = 0.0, squares = 0.0, weights = 0.0, weighted = 0.0, penalty = 0.0, mean = 0.5;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto t = static_cast<double>(i + 1);
    const double variance = (0.25 + squares) / t;
    const double lambda = std::min(std::sqrt(2.0 * log_two / (variance * t * std::log1p(t))), 0.5);
    weights += lambda;
    weighted += lambda * values[i];
    penalty += 4.0 * square(values[i] - mean) * (-std::log1p(-lambda) - lambda) / 4.0;
    sum += values[i];
    mean = (0.5 + sum) / (t + 1.0);
    squares += square(values[i] - mean);
  }
  if (weights == 0.0) return {};
  return {weighted / weights, (log_two + penalty) / weights};
}

double asymptotic_rho(double n_star, double alpha) noexcept {
  const double log = -2.0 * std::log(alpha);
  return std::sqrt((log + std::log1p(log)) / n_star);
}

double asymptotic_half(double sigma, double n, double rho, double alpha) noexcept {
  const double spread = n * rho * rho;
  return sigma *
         std::sqrt(2.0 * (spread + 1.0) / (n * spread) * std::log(std::sqrt(spread + 1.0) / alpha));
}

double log_msprt(double n, double d, double variance, double prior_variance) noexcept {
  const double total = variance + n * prior_variance;
  return 0.5 * std::log(variance / total) +
         n * n * prior_variance * d * d / (2.0 * variance * total);
}

double unpaired_sample(double p1, double p2, double z_alpha, double z_power) noexcept {
  const double mean = (p1 + p2) / 2.0;
  const double root = z_alpha * std::sqrt(2.0 * mean * (1.0 - mean)) +
                      z_power * std::sqrt(p1 * (1.0 - p1) + p2 * (1.0 - p2));
  return square(root / (p1 - p2));
}

double paired_sample(double discordant, double difference, double z_alpha,
                     double z_power) noexcept {
  const double root =
      z_alpha * std::sqrt(discordant) + z_power * std::sqrt(discordant - square(difference));
  return square(root / difference);
}

double noninferiority_sample(double discordant, double margin, double z_alpha,
                             double z_power) noexcept {
  return discordant * square((z_alpha + z_power) / margin);
}

double quantile_type7(std::span<const double> sorted, double p) noexcept {
  if (sorted.empty()) return 0.0;
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Interval bootstrap_quantile_difference(std::span<const double> primary,
                                       std::span<const double> candidate, double p, int resamples,
                                       std::uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<double> differences, before(primary.size()), after(candidate.size());
  for (int r = 0; r < resamples; ++r) {
    for (std::size_t i = 0; i < primary.size(); ++i) {
      const std::size_t drawn = random.next() % primary.size();
      before[i] = primary[drawn];
      after[i] = candidate[drawn];
    }
    std::ranges::sort(before);
    std::ranges::sort(after);
    differences.push_back(quantile_type7(after, p) - quantile_type7(before, p));
  }
  std::ranges::sort(differences);
  return {quantile_type7(differences, 0.025), quantile_type7(differences, 0.975)};
}

}  // namespace understudy::bench
