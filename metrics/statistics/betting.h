#pragma once
// What counts say about a mean, valid however often one looks: a mixture of eighteen fixed bets
// against "the mean is at most m" (or at least m), which is an e-process. Whoever rejects once
// E >= 1/alpha is wrong with a probability of at most alpha over the whole time (Ville's
// inequality), no matter when or how often E was computed. Fixed bets make E a function of the
// counts alone, so counts may be added up over threads, processes and restarts. After
// Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSSB 2024.
// Pure functions.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "metrics/statistics/proportions.h"

namespace understudy::metrics {

// How often each value was seen: counts[k] is that of k / (counts.size() - 1), at least two values.
using ValueCounts = std::span<const std::uint64_t>;

enum class Null : std::uint8_t { mean_at_most, mean_at_least };

// ln E against the null at that mean, 0 < mean < 1. Positive: evidence against it.
double log_e(ValueCounts counts, Null null, double mean) noexcept;

// The same against one null again and again: its logarithms are taken once.
class Bets {
 public:
  Bets(Null null, double mean, std::size_t values);

  double log_e(ValueCounts counts) const noexcept;
  // The same where it reaches `worth`; below that any number that is neither above log_e() nor
  // reaches `worth`. Most counts are settled by their mean alone.
  double log_e(ValueCounts counts, double worth) const noexcept;
  double log_e(std::span<const std::uint32_t> counts, double worth) const noexcept;

 private:
  template <typename Count>
  double log_e_of(std::span<const Count> counts, double worth) const noexcept;

  double sign_;  // of the evidence against the null: +1 where it lies above the mean
  double mean_;
  std::vector<double> gains_;  // ln of what each bet makes of each value: by value, then by bet
};

// ln(1 / alpha): what log_e() must reach to reject.
double log_threshold(double alpha) noexcept;

// How many pairs beyond the counts would reject if each brings the values at these rates, of which
// there are as many as counts; none where they never would. 0 where the counts reject already.
std::optional<double> more_to_reject(ValueCounts counts, std::span<const double> rates, Null null,
                                     double mean, double alpha) noexcept;

// The mean of the values; 0 where nothing was counted.
double mean_of(ValueCounts counts) noexcept;

// The confidence sequence of the mean: holds the true one at all times with probability 1 - alpha.
// [0, 1] where nothing was counted.
Interval confidence_sequence(ValueCounts counts, double alpha) noexcept;

// --- The three ways in which pairs become values in [0, 1]

// A difference of two flags or two disagreements, D in {-1, 0, +1}: three values, (D + 1) / 2.
inline constexpr std::size_t kFlagValues = 3;
// The mean of the values at which the mean of D is `difference`, and back.
constexpr double mean_of_difference(double difference) noexcept {
  return (1.0 + difference) / 2.0;
}
constexpr double difference_of_mean(double mean) noexcept {
  return 2.0 * mean - 1.0;
}

// A ratio, as its logarithm clipped to +-ln 4; or a difference in [-1, 1]: 41 values. Rounding
// moves one ratio by up to 3.5 % either way; where ratios vary by more than that, as those of two
// answers do, it evens out in their mean.
inline constexpr std::size_t kRatioValues = 41;
std::size_t value_of_ratio(double ratio) noexcept;  // the index; `ratio` > 0
double mean_of_ratio(double ratio) noexcept;        // where all pairs have that ratio
double ratio_of_mean(double mean) noexcept;         // the geometric mean that a mean stands for
std::size_t value_of_difference(double difference) noexcept;  // the index of a difference

}  // namespace understudy::metrics
