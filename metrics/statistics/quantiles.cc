#include "metrics/statistics/quantiles.h"

#include <math.h>  // lgamma_r

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace understudy::metrics {
namespace {

constexpr double kAccuracy = 0.01;
constexpr double kGamma = (1.0 + kAccuracy) / (1.0 - kAccuracy);
constexpr double kPriorWeight = 10.0;

// std::lgamma() writes a global.
double log_gamma(double x) noexcept {
  int sign = 0;
  return lgamma_r(x, &sign);
}

// A bucket holds what lies above the edge of the one before, up to its own.
double upper_edge(std::size_t key) noexcept {
  if (key + 1 == TimeSketch::kBuckets) return std::numeric_limits<double>::infinity();
  return std::pow(kGamma, static_cast<double>(key));
}
double lower_edge(std::size_t key) noexcept {
  return key == 0 ? 0.0 : upper_edge(key - 1);
}

double log_beta(double a, double b) noexcept {
  return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

}  // namespace

double log_quantile_e(std::uint64_t k, std::uint64_t n, double p) noexcept {
  const double a = kPriorWeight * p;
  const double b = kPriorWeight * (1.0 - p);
  const auto below = static_cast<double>(k);
  const auto above = static_cast<double>(n - k);
  return log_beta(a + below, b + above) - log_beta(a, b) - below * std::log(p) -
         above * std::log1p(-p);
}

RankBounds quantile_ranks(std::uint64_t n, double p, double alpha) noexcept {
  const double threshold = -std::log(alpha);
  const auto inside = [&](std::uint64_t k) { return log_quantile_e(k, n, p) < threshold; };
  // The e-value falls up to about n p and rises behind it.
  const auto centre =
      std::min(n, static_cast<std::uint64_t>(std::llround(static_cast<double>(n) * p)));
  std::uint64_t low = 0, low_end = centre;
  while (low < low_end) {
    const std::uint64_t middle = low + (low_end - low) / 2;
    if (inside(middle)) {
      low_end = middle;
    } else {
      low = middle + 1;
    }
  }
  std::uint64_t high = centre, high_end = n;
  while (high < high_end) {
    const std::uint64_t middle = high + (high_end - high + 1) / 2;
    if (inside(middle)) {
      high = middle;
    } else {
      high_end = middle - 1;
    }
  }
  return {low, high};
}

std::size_t TimeSketch::key_of(double milliseconds) noexcept {
  if (!(milliseconds > 1.0)) return 0;
  const double key = std::ceil(std::log(milliseconds) / std::log(kGamma));
  return std::min(kBuckets - 1, static_cast<std::size_t>(std::min(key, 1e6)));
}

double TimeSketch::value_of(std::size_t key) noexcept {
  return 2.0 * std::pow(kGamma, static_cast<double>(key)) / (kGamma + 1.0);
}

void TimeSketch::add(double milliseconds) noexcept {
  ++buckets_[key_of(milliseconds)];
  ++count_;
}

void TimeSketch::merge(const TimeSketch& other) noexcept {
  for (std::size_t key = 0; key < kBuckets; ++key) buckets_[key] += other.buckets_[key];
  count_ += other.count_;
}

void TimeSketch::set_buckets(const Buckets& buckets) noexcept {
  buckets_ = buckets;
  count_ = std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

std::optional<std::size_t> TimeSketch::key_at_rank(std::uint64_t rank) const noexcept {
  if (rank == 0 || rank > count_) return std::nullopt;
  std::uint64_t below = 0;
  for (std::size_t key = 0; key < kBuckets; ++key) {
    below += buckets_[key];
    if (below >= rank) return key;
  }
  return std::nullopt;
}

std::optional<double> TimeSketch::at_rank(std::uint64_t rank) const noexcept {
  const auto key = key_at_rank(rank);
  return key ? std::optional(value_of(*key)) : std::nullopt;
}

std::optional<double> TimeSketch::quantile(double p) const noexcept {
  const double rank = std::ceil(p * static_cast<double>(count_));
  return at_rank(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rank)));
}

std::optional<Interval> TimeSketch::quantile_bounds(double p, double alpha) const noexcept {
  const RankBounds ranks = quantile_ranks(count_, p, alpha);
  const auto low = key_at_rank(ranks.low);
  const auto high = key_at_rank(ranks.high + 1);
  if (!low || !high) return std::nullopt;
  return Interval{lower_edge(*low), upper_edge(*high)};
}

}  // namespace understudy::metrics
