#include "metrics/evidence/traffic.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace understudy::metrics {
namespace {

constexpr std::int64_t kHourMilliseconds = 3'600'000;
constexpr double kMonthMilliseconds = 365.0 / 12.0 * 24.0 * 3'600'000.0;

std::int64_t hour_of(TrafficTally::Clock::time_point now) {
  return std::chrono::floor<std::chrono::hours>(now).time_since_epoch().count();
}

}  // namespace

void TrafficTally::add(std::uint64_t requests, std::chrono::milliseconds watched,
                       Clock::time_point now) {
  Hour& hour = hours_[hour_of(now)];
  hour.requests += requests;
  // A clock that was set back must not make an hour longer than it is.
  hour.milliseconds = std::clamp(hour.milliseconds + watched.count(), hour.milliseconds,
                                 std::max(hour.milliseconds, kHourMilliseconds));
  forget_old();
}

void TrafficTally::add_pair(Clock::time_point now) {
  ++hours_[hour_of(now)].pairs;
  forget_old();
}

void TrafficTally::merge(const TrafficTally& other) {
  for (const auto& [number, more] : other.hours_) {
    Hour& hour = hours_[number];
    hour.requests += more.requests;
    hour.milliseconds = std::max(hour.milliseconds, more.milliseconds);
    hour.pairs += more.pairs;
  }
  forget_old();
}

TrafficTally TrafficTally::without_pairs() const {
  TrafficTally tally = *this;
  for (auto& [number, hour] : tally.hours_) hour.pairs = 0;
  return tally;
}

void TrafficTally::forget_old() {
  while (hours_.size() > kMaxHours) hours_.erase(hours_.begin());
}

std::optional<TrafficTally::Peak> TrafficTally::peak() const noexcept {
  Peak peak;
  for (const auto& [number, hour] : hours_) {
    peak.requests = std::max(peak.requests, hour.requests);
    if (hour.pairs > 0)
      peak.requests_with_pairs = std::max(peak.requests_with_pairs, hour.requests);
  }
  if (peak.requests == 0) return std::nullopt;
  return peak;
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
    hours.push_back({number, hour.requests, hour.milliseconds, hour.pairs});
  return hours;
}

TrafficTally TrafficTally::from_json(const nlohmann::json& json) {
  TrafficTally tally;
  if (!json.is_array() || json.size() > kMaxHours)
    throw std::invalid_argument("the traffic has more hours than are kept");
  for (const auto& hour : json) {
    const auto milliseconds = hour.at(2).get<std::int64_t>();
    // Former versions did not tell how many pairs came: then none is known.
    const bool tells_pairs = hour.size() > 3;
    if (!hour.at(1).is_number_unsigned() || milliseconds < 0 || milliseconds > kHourMilliseconds ||
        (tells_pairs && !hour.at(3).is_number_unsigned()))
      throw std::invalid_argument("an hour of traffic is out of range");
    tally.hours_[hour.at(0).get<std::int64_t>()] = {
        hour.at(1).get<std::uint64_t>(), milliseconds,
        tells_pairs ? hour.at(3).get<std::uint64_t>() : 0};
  }
  return tally;
}

}  // namespace understudy::metrics
