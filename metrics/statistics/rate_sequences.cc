#include "metrics/statistics/rate_sequences.h"

#include <algorithm>
#include <array>

namespace understudy::metrics {
namespace {

constexpr double kAlpha = 0.05;

Interval rate_sequence(Proportion seen, double alpha) noexcept {
  const std::array counts{seen.total - std::min(seen.hits, seen.total), seen.hits};
  return confidence_sequence(counts, alpha);
}

}  // namespace

Interval difference_sequence(Proportion before, Proportion after) noexcept {
  const Interval first = rate_sequence(before, kAlpha / 2.0);
  const Interval second = rate_sequence(after, kAlpha / 2.0);
  return {second.low - first.high, second.high - first.low};
}

Interval paired_difference_sequence(Proportion before, Proportion after,
                                    std::uint64_t differing) noexcept {
  const std::uint64_t fewer = std::min(before.hits, after.hits);
  const std::uint64_t for_one = before.hits - fewer, for_other = after.hits - fewer;
  // What differs beyond the balance speaks for either side as often.
  const std::uint64_t spoken = for_one + for_other;
  const std::uint64_t both_ways = (std::max(differing, spoken) - spoken) / 2;
  const std::uint64_t told = spoken + 2 * both_ways;
  const std::array counts{for_one + both_ways, after.total - std::min(told, after.total),
                          for_other + both_ways};
  const Interval mean = confidence_sequence(counts, kAlpha);
  return {difference_of_mean(mean.low), difference_of_mean(mean.high)};
}

}  // namespace understudy::metrics
