#pragma once
// Textbook tests for a sample size that was fixed beforehand, as the detector benchmark's rivals
// use them. None of them judges anything in production. Pure functions.

#include <cstdint>
#include <span>

#include "metrics/statistics/proportions.h"

namespace understudy::bench {

using metrics::Proportion;

// Two-sided p of a difference of two unpaired proportions, pooled variance; 1 where nothing
// differs.
double two_proportion_p(Proportion before, Proportion after) noexcept;

struct MannWhitney {
  double u = 0.0;     // pairs in which x is the larger, ties half
  double z = 0.0;     // with ties and continuity, of |U - mean|
  double p = 1.0;     // two-sided
  double cles = 0.5;  // share of pairs in which x is the larger
};
// Of values that were counted in cells of rising value, both of the same cells.
MannWhitney mann_whitney_of_counts(std::span<const std::uint64_t> x,
                                   std::span<const std::uint64_t> y) noexcept;

}  // namespace understudy::bench
