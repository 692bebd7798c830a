#pragma once
// How much of their words the answers of a family have in common: two of the primary (the control
// leg) and, beside each such pair, the primary's and the candidate's. For information: low
// containment is no regression, but what lies beyond the primary's own spread is worth a look.
// Counts of 41 values each, which add up; plain values.

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "metrics/statistics/betting.h"

namespace understudy::metrics {

class ContainmentCounts {
 public:
  // Fewer would take chance for what is usual.
  static constexpr std::uint64_t kFewestTriples = 20;

  // c(primary, primary asked again) and c(primary, candidate) of one request, in [0, 1].
  void add(double own, double other) noexcept;
  void merge(const ContainmentCounts& other) noexcept;

  std::uint64_t triples() const noexcept;
  // The median of what the primary's own answers share; none before kFewestTriples.
  std::optional<double> own_median() const noexcept;

  // The mean of c(primary, primary) - c(primary, candidate): above zero where the candidate is
  // farther from the primary than that is from itself.
  struct Excess {
    double mean = 0.0;
    Interval interval;  // confidence sequence, 95 %
  };
  std::optional<Excess> excess() const noexcept;  // none before kFewestTriples

  nlohmann::json to_json() const;
  // Throws for what to_json() did not write.
  static ContainmentCounts from_json(const nlohmann::json& json);
  friend bool operator==(const ContainmentCounts&, const ContainmentCounts&) = default;

 private:
  static constexpr std::size_t kValues = kRatioValues;
  std::array<std::uint64_t, kValues> own_{};     // of [0, 1]
  std::array<std::uint64_t, kValues> excess_{};  // of [-1, 1], value_of_difference()
};

}  // namespace understudy::metrics
