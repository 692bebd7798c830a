#include "metrics/statistics/betting.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace understudy::metrics {
namespace {

// The bets, as shares of the largest one that cannot be lost whole: large ones find large effects
// within a few pairs, small ones find small effects in the end.
constexpr std::array kBets{.99, .9,  .8,   .7,  .6,   .5,  .4,   .3,   .22,
                           .16, .11, .075, .05, .033, .02, .012, .007, .004};
constexpr double kExactly = 1e-10;  // of a mean, where a confidence sequence ends
constexpr double kEdge = 1e-9;      // a bet is a share of 1 / m, so m stays off 0 and 1
const double kLargestLogRatio = std::log(4.0);

double value_at(std::size_t k, std::size_t values) noexcept {
  return static_cast<double>(k) / static_cast<double>(values - 1);
}

// ln of what each bet has made of 1.
using Wealth = std::array<double, kBets.size()>;

// The largest bet against the null that cannot be lost whole.
double unit_bet(Null null, double mean) noexcept {
  return null == Null::mean_at_most ? 1.0 / mean : -1.0 / (1.0 - mean);
}

template <typename Count>
Wealth log_wealth(std::span<const Count> counts, Null null, double mean) noexcept {
  const double unit = unit_bet(null, mean);
  Wealth wealth{};
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] == 0) continue;
    const double gain = unit * (value_at(k, counts.size()) - mean);
    for (std::size_t g = 0; g < kBets.size(); ++g) {
      wealth[g] += static_cast<double>(counts[k]) * std::log1p(kBets[g] * gain);
    }
  }
  return wealth;
}

// ln of the mean over the bets.
double mixture(const Wealth& wealth) noexcept {
  const double largest = *std::max_element(wealth.begin(), wealth.end());
  double sum = 0.0;
  for (const double log : wealth) sum += std::exp(log - largest);
  return largest + std::log(sum / static_cast<double>(wealth.size()));
}

// Where `rejected` changes between `inside`, where it is false, and `outside`.
template <typename Rejected>
double boundary(double inside, double outside, const Rejected& rejected) noexcept {
  if (!rejected(outside)) return outside;
  while (std::abs(outside - inside) > kExactly * std::max(1.0, std::abs(inside))) {
    const double middle = (inside + outside) / 2.0;
    (rejected(middle) ? outside : inside) = middle;
  }
  return outside;
}

std::size_t index_of(double value, std::size_t values) noexcept {
  const double clipped = std::clamp(value, 0.0, 1.0);
  return static_cast<std::size_t>(std::lround(clipped * static_cast<double>(values - 1)));
}

}  // namespace

double log_e(ValueCounts counts, Null null, double mean) noexcept {
  return mixture(log_wealth(counts, null, mean));
}

Bets::Bets(Null null, double mean, std::size_t values)
    : sign_(null == Null::mean_at_most ? 1.0 : -1.0), mean_(mean) {
  const double unit = unit_bet(null, mean);
  gains_.reserve(values * kBets.size());
  for (std::size_t k = 0; k < values; ++k) {
    for (const double bet : kBets)
      gains_.push_back(std::log1p(bet * unit * (value_at(k, values) - mean)));
  }
}

template <typename Count>
double Bets::log_e_of(std::span<const Count> counts, double worth) const noexcept {
  // ln is concave: no bet has won anything where the counts' mean lies on the null's side.
  double seen = 0.0, sum = 0.0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const auto count = static_cast<double>(counts[k]);
    seen += count;
    sum += count * static_cast<double>(k);
  }
  const double mean = sum / static_cast<double>(counts.size() - 1);
  if (worth > 0.0 && sign_ * (mean - mean_ * seen) <= 0.0)
    return -std::numeric_limits<double>::infinity();
  Wealth wealth{};
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] == 0) continue;
    const auto count = static_cast<double>(counts[k]);
    const double* const gains = &gains_[k * kBets.size()];
    for (std::size_t g = 0; g < kBets.size(); ++g) wealth[g] += count * gains[g];
  }
  // The mean of the bets lies below the best of them.
  if (*std::max_element(wealth.begin(), wealth.end()) < worth)
    return -std::numeric_limits<double>::infinity();
  return mixture(wealth);
}

double Bets::log_e(ValueCounts counts) const noexcept {
  return log_e_of(counts, -std::numeric_limits<double>::infinity());
}

double Bets::log_e(ValueCounts counts, double worth) const noexcept {
  return log_e_of(counts, worth);
}

double Bets::log_e(std::span<const std::uint32_t> counts, double worth) const noexcept {
  return log_e_of(counts, worth);
}

std::optional<double> more_to_reject(ValueCounts counts, std::span<const double> rates, Null null,
                                     double mean, double alpha) noexcept {
  const Wealth wealth = log_wealth(counts, null, mean);
  const Wealth gain = log_wealth(rates, null, mean);
  const double threshold = log_threshold(alpha);
  const auto rejects = [&](double pairs) {
    Wealth grown = wealth;
    for (std::size_t g = 0; g < grown.size(); ++g) grown[g] += pairs * gain[g];
    return mixture(grown) >= threshold;
  };
  if (rejects(0.0)) return 0.0;
  constexpr double kMost = 1e9;  // beyond that nobody waits
  if (*std::max_element(gain.begin(), gain.end()) <= 0.0 || !rejects(kMost)) return std::nullopt;
  return boundary(0.0, kMost, rejects);
}

double log_threshold(double alpha) noexcept {
  return -std::log(alpha);
}

double mean_of(ValueCounts counts) noexcept {
  double seen = 0.0, sum = 0.0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    seen += static_cast<double>(counts[k]);
    sum += static_cast<double>(counts[k]) * static_cast<double>(k);
  }
  return seen == 0.0 ? 0.0 : sum / (seen * static_cast<double>(counts.size() - 1));
}

Interval confidence_sequence(ValueCounts counts, double alpha) noexcept {
  double seen = 0.0, sum = 0.0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    seen += static_cast<double>(counts[k]);
    sum += static_cast<double>(counts[k]) * value_at(k, counts.size());
  }
  if (seen < 1.0) return {0.0, 1.0};
  const double mean = std::clamp(sum / seen, kEdge, 1.0 - kEdge);
  const double threshold = log_threshold(alpha / 2.0);
  const auto above = [&](double m) { return log_e(counts, Null::mean_at_most, m) >= threshold; };
  const auto below = [&](double m) { return log_e(counts, Null::mean_at_least, m) >= threshold; };
  return {boundary(mean, kEdge, above), boundary(mean, 1.0 - kEdge, below)};
}

std::size_t value_of_ratio(double ratio) noexcept {
  return index_of(mean_of_ratio(ratio), kRatioValues);
}

double mean_of_ratio(double ratio) noexcept {
  const double clipped = std::clamp(std::log(ratio), -kLargestLogRatio, kLargestLogRatio);
  return (clipped + kLargestLogRatio) / (2.0 * kLargestLogRatio);
}

double ratio_of_mean(double mean) noexcept {
  return std::exp(mean * 2.0 * kLargestLogRatio - kLargestLogRatio);
}

std::size_t value_of_difference(double difference) noexcept {
  return index_of(mean_of_difference(difference), kRatioValues);
}

}  // namespace understudy::metrics
