#include "metrics/evidence/traffic.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace understudy::metrics {
namespace {

constexpr std::int64_t kHourMilliseconds = 3'600'000;
constexpr double kMonthMilliseconds = 365.0 / 12.0 * 24.0 * 3'600'000.0;

}  // namespace

void TrafficTally::add(std::uint64_t requests, std::chrono::milliseconds watched,
                       Clock::time_point now) {
  Hour& hour = hours_[std::chrono::floor<std::chrono::hours>(now).time_since_epoch().count()];
  hour.requests += requests;
  // A clock that was set back must not make an hour longer than it is.
  hour.milliseconds = std::clamp(hour.milliseconds + watched.count(), hour.milliseconds,
                                 std::max(hour.milliseconds, kHourMilliseconds));
  forget_old();
}

void TrafficTally::merge(const TrafficTally& other) {
  for (const auto& [number, more] : other.hours_) {
    Hour& hour = hours_[number];
    hour.requests += more.requests;
    hour.milliseconds = std::max(hour.milliseconds, more.milliseconds);
  }
  forget_old();
}

void TrafficTally::forget_old() {
  while (hours_.size() > kMaxHours) hours_.erase(hours_.begin());
}

std::optional<TrafficTally::Pace> TrafficTally::pace() const noexcept {
  double requests = 0.0;
  std::chrono::milliseconds watched{0};
  for (const auto& [number, hour] : hours_) {
    requests += static_cast<double>(hour.requests);
    watched += std::chrono::milliseconds{hour.milliseconds};
  }
  if (watched < kShortestWatch) return std::nullopt;
  return Pace{requests * kMonthMilliseconds / static_cast<double>(watched.count()),
              std::chrono::floor<std::chrono::seconds>(watched)};
}

nlohmann::json TrafficTally::to_json() const {
  nlohmann::json hours = nlohmann::json::array();
  for (const auto& [number, hour] : hours_)
    hours.push_back({number, hour.requests, hour.milliseconds});
  return hours;
}

TrafficTally TrafficTally::from_json(const nlohmann::json& json) {
  TrafficTally tally;
  if (!json.is_array() || json.size() > kMaxHours)
    throw std::invalid_argument("the traffic has more hours than are kept");
  for (const auto& hour : json) {
    const auto milliseconds = hour.at(2).get<std::int64_t>();
    if (!hour.at(1).is_number_unsigned() || milliseconds < 0 || milliseconds > kHourMilliseconds)
      throw std::invalid_argument("an hour of traffic is out of range");
    tally.hours_[hour.at(0).get<std::int64_t>()] = {hour.at(1).get<std::uint64_t>(), milliseconds};
  }
  return tally;
}

}  // namespace understudy::metrics
