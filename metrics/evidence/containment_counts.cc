#include "metrics/evidence/containment_counts.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace understudy::metrics {
namespace {

using nlohmann::json;

constexpr double kConfidence = 0.05;

// Without the zeros behind the last one.
template <std::size_t kSize>
json counts_json(const std::array<std::uint64_t, kSize>& counts) {
  const auto used =
      std::find_if(counts.rbegin(), counts.rend(), [](std::uint64_t count) { return count > 0; });
  return std::vector<std::uint64_t>(counts.begin(), used.base());
}

template <std::size_t kSize>
std::array<std::uint64_t, kSize> read_counts(const json& from) {
  std::array<std::uint64_t, kSize> counts{};
  if (!from.is_array() || from.size() > kSize)
    throw std::invalid_argument("containment has more values than this version knows");
  for (std::size_t k = 0; k < from.size(); ++k) {
    if (!from[k].is_number_unsigned())
      throw std::invalid_argument("a count of containment is not a whole number");
    counts[k] = from[k].get<std::uint64_t>();
  }
  return counts;
}

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
  counts.own_ = read_counts<kValues>(from.at("own"));
  counts.excess_ = read_counts<kValues>(from.at("excess"));
  return counts;
}

}  // namespace understudy::metrics
