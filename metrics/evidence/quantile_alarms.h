#pragma once
// The quantiles of times that a verdict is judged by, and those that alarmed once: their bounds
// hold at all times together, so an alarm is as true after it as at its moment. Plain values.

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace understudy::metrics {

inline constexpr std::array<std::string_view, 2> kTimes{"latency", "first_token"};
inline constexpr std::array kQuantiles{0.50, 0.95, 0.99};

class QuantileAlarms {
 public:
  // kTimes[time] at kQuantiles[quantile] was slower by more than `threshold`, a ratio less 1. The
  // first alarm stays, unless another says more.
  void latch(std::size_t time, std::size_t quantile, double threshold) noexcept;
  // False where the threshold has been raised since.
  bool stands(std::size_t time, std::size_t quantile, double threshold) const noexcept;
  void merge(const QuantileAlarms& other) noexcept;

  nlohmann::json to_json() const;
  // Throws for what to_json() did not write.
  static QuantileAlarms from_json(const nlohmann::json& json);
  friend bool operator==(const QuantileAlarms&, const QuantileAlarms&) = default;

 private:
  // The threshold at which each alarmed.
  std::array<std::array<std::optional<double>, kQuantiles.size()>, kTimes.size()> alarmed_at_{};
};

}  // namespace understudy::metrics
