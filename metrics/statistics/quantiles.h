#pragma once
// Quantiles of times from additive counts: a sketch with a bounded relative error, and bounds for a
// quantile that are valid however often one looks.

#include <array>
#include <cstdint>
#include <optional>

#include "metrics/statistics/proportions.h"

namespace understudy::metrics {

// The ranks between which the p-quantile of `n` values lies at all times with probability
// 1 - alpha: with k values at or below it, the beta-binomial mixture with prior (10 p, 10 (1 - p))
// stays below 1 / alpha for low <= k <= high. 0 < p < 1.
struct RankBounds {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};
RankBounds quantile_ranks(std::uint64_t n, double p, double alpha) noexcept;

// ln of that mixture's e-value for k of n values at or below the p-quantile.
double log_quantile_e(std::uint64_t k, std::uint64_t n, double p) noexcept;

// A DDSketch (Masson, Rim, Lee, VLDB 2019) of relative accuracy 1 % over 1 ms to 600 s; what lies
// outside counts as the nearest bucket. Sketches add up. Not for several threads at once.
class TimeSketch {
 public:
  static constexpr std::size_t kBuckets = 667;  // keys 0 (1 ms and below) to 666 (600 s and above)
  using Buckets = std::array<std::uint64_t, kBuckets>;

  void add(double milliseconds) noexcept;
  void merge(const TimeSketch& other) noexcept;
  std::uint64_t count() const noexcept { return count_; }

  // The value at that rank, 1 to count(); none where there is no such rank.
  std::optional<double> at_rank(std::uint64_t rank) const noexcept;
  std::optional<double> quantile(double p) const noexcept;
  // [low, high] for the quantile; none before the counts bound it on both sides. What was added is
  // known no better than its bucket, so low is the lower edge of the low rank's bucket and high the
  // upper edge of the high rank's: they bound the times themselves, not the sketch's picture of
  // them. 0 where the low rank is 1 ms or below, infinity where the high rank is in the last
  // bucket.
  std::optional<Interval> quantile_bounds(double p, double alpha) const noexcept;

  const Buckets& buckets() const noexcept { return buckets_; }
  void set_buckets(const Buckets& buckets) noexcept;  // as they were saved

  static std::size_t key_of(double milliseconds) noexcept;
  static double value_of(std::size_t key) noexcept;  // the middle, within 1 % of all it stands for

 private:
  std::optional<std::size_t> key_at_rank(std::uint64_t rank) const noexcept;
  Buckets buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace understudy::metrics
