#pragma once
// Textbook formulas that neither production nor the benchmark uses: what the reference values and
// the engine are held against. Pure functions.

#include <cstdint>
#include <span>
#include <vector>

#include "bench/detectors/fixed_horizon.h"
#include "metrics/statistics/proportions.h"

namespace understudy::bench {

using metrics::Interval;

// Of the values themselves.
MannWhitney mann_whitney(std::span<const double> x, std::span<const double> y);

struct KolmogorovSmirnov {
  double d = 0.0;
  double p = 1.0;
};
KolmogorovSmirnov kolmogorov_smirnov(std::vector<double> x, std::vector<double> y);

// Pairs of outcomes: both bad, only the candidate's, only the primary's, neither.
struct PairTable {
  std::uint64_t both = 0, candidate_only = 0, primary_only = 0, neither = 0;
};
// Newcombe's method 10 for pairs with the continuity-corrected phi, 95 %: of the candidate's rate
// minus the primary's.
Interval newcombe_paired(const PairTable& table) noexcept;
struct McNemar {
  double one_sided = 1.0, two_sided = 1.0, mid_p = 1.0;
};
McNemar mcnemar_exact(const PairTable& table) noexcept;

// Waudby-Smith and Ramdas' predictable plug-in empirical Bernstein sequence of a mean in [0, 1].
struct BernsteinSequence {
  double centre = 0.5, half = 0.5;
};
BernsteinSequence empirical_bernstein(std::span<const double> values, double alpha) noexcept;

// Half of the width of the asymptotic confidence sequence after n values, tightest about n_star.
double asymptotic_rho(double n_star, double alpha) noexcept;
double asymptotic_half(double sigma, double n, double rho, double alpha) noexcept;
// ln of the mixture sequential probability ratio of a mean difference d after n pairs.
double log_msprt(double n, double d, double variance, double prior_variance) noexcept;

// How many pairs a fixed-horizon test must see: of two unpaired rates, of paired flags of which
// `discordant` differ, and to show a difference below a margin. One-sided 5 %, z of the power.
double unpaired_sample(double p1, double p2, double z_alpha, double z_power) noexcept;
double paired_sample(double discordant, double difference, double z_alpha, double z_power) noexcept;
double noninferiority_sample(double discordant, double margin, double z_alpha,
                             double z_power) noexcept;

// A quantile of values in rising order, by linear interpolation (type 7).
double quantile_type7(std::span<const double> sorted, double p) noexcept;
// The 95 % percentile interval of a paired difference of quantiles, `resamples` draws of pairs.
Interval bootstrap_quantile_difference(std::span<const double> primary,
                                       std::span<const double> candidate, double p, int resamples,
                                       std::uint64_t seed);

}  // namespace understudy::bench
