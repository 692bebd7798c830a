#include "metrics/evidence/containment_counts.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "metrics/evidence/json_parts.h"

namespace understudy::metrics {
namespace {

using nlohmann::json;

constexpr double kConfidence = 0.05;

}  // namespace

void ContainmentCounts::add(double own, double other) noexcept {
  const double share = std::clamp(own, 0.0, 1.0);
  ++own_[static_cast<std::size_t>(std::lround(share * static_cast<double>(kValues - 1)))];
  ++excess_[value_of_difference(share - std::clamp(other, 0.0, 1.0))];
}

void ContainmentCounts::merge(const ContainmentCounts& other) noexcept {
  for (std::size_t k = 0; k < kValues; ++k) {
    own_[k] += other.own_[k];
    excess_[k] += other.excess_[k];
  }
}

std::uint64_t ContainmentCounts::triples() const noexcept {
  return std::accumulate(own_.begin(), own_.end(), std::uint64_t{0});
}

std::optional<double> ContainmentCounts::own_median() const noexcept {
  const std::uint64_t all = triples();
  if (all < kFewestTriples) return std::nullopt;
  std::uint64_t below = 0;
  std::size_t k = 0;
  while (2 * (below + own_[k]) < all) below += own_[k++];
  return static_cast<double>(k) / static_cast<double>(kValues - 1);
}

std::optional<ContainmentCounts::Excess> ContainmentCounts::excess() const noexcept {
  const std::uint64_t all = triples();
  if (all < kFewestTriples) return std::nullopt;
  double sum = 0.0;
  for (std::size_t k = 0; k < kValues; ++k)
    sum += static_cast<double>(excess_[k]) * static_cast<double>(k);
  const double mean = sum / static_cast<double>(all) / static_cast<double>(kValues - 1);
  const Interval bounds = confidence_sequence(excess_, kConfidence);
  return Excess{.mean = difference_of_mean(mean),
                .interval = {difference_of_mean(bounds.low), difference_of_mean(bounds.high)}};
}

json ContainmentCounts::to_json() const {
  return {{"own", counts_json(own_)}, {"excess", counts_json(excess_)}};
}

ContainmentCounts ContainmentCounts::from_json(const json& from) {
  ContainmentCounts counts;
  read_counts(from.at("own"), counts.own_);
  read_counts(from.at("excess"), counts.excess_);
  return counts;
}

}  // namespace understudy::metrics
