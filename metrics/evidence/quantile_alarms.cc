#include "metrics/evidence/quantile_alarms.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace understudy::metrics {

void QuantileAlarms::latch(std::size_t time, std::size_t quantile, double threshold) noexcept {
  if (!stands(time, quantile, threshold)) alarmed_at_[time][quantile] = threshold;
}

bool QuantileAlarms::stands(std::size_t time, std::size_t quantile,
                            double threshold) const noexcept {
  const auto& at = alarmed_at_[time][quantile];
  return at && *at >= threshold;
}

void QuantileAlarms::merge(const QuantileAlarms& other) noexcept {
  for (std::size_t time = 0; time < kTimes.size(); ++time) {
    for (std::size_t quantile = 0; quantile < kQuantiles.size(); ++quantile) {
      if (const auto& at = other.alarmed_at_[time][quantile]) latch(time, quantile, *at);
    }
  }
}

// [{"signal": "latency", "quantile": 0.95, "threshold": 0.1}], of those that alarmed.
nlohmann::json QuantileAlarms::to_json() const {
  auto alarms = nlohmann::json::array();
  for (std::size_t time = 0; time < kTimes.size(); ++time) {
    for (std::size_t quantile = 0; quantile < kQuantiles.size(); ++quantile) {
      if (const auto& at = alarmed_at_[time][quantile]) {
        alarms.push_back(
            {{"signal", kTimes[time]}, {"quantile", kQuantiles[quantile]}, {"threshold", *at}});
      }
    }
  }
  return alarms;
}

QuantileAlarms QuantileAlarms::from_json(const nlohmann::json& json) {
  QuantileAlarms alarms;
  for (const auto& alarm : json) {
    const auto time = std::ranges::find(kTimes, alarm.at("signal").get<std::string>());
    const auto quantile = std::ranges::find(kQuantiles, alarm.at("quantile").get<double>());
    if (time == kTimes.end() || quantile == kQuantiles.end())
      throw std::invalid_argument("it knows an alarm of a quantile that is none");
    alarms.latch(static_cast<std::size_t>(time - kTimes.begin()),
                 static_cast<std::size_t>(quantile - kQuantiles.begin()),
                 alarm.at("threshold").get<double>());
  }
  return alarms;
}

}  // namespace understudy::metrics
