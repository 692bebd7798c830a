#pragma once
// How many requests a route gets, of all its traffic and not only of what is copied: by hours of
// the clock, with the time that was watched, for the last week. Proxies of one fleet add up: their
// requests are summed, the time is the same. One thread.

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace understudy::metrics {

class TrafficTally {
 public:
  using Clock = std::chrono::system_clock;
  static constexpr std::size_t kMaxHours = 24 * 7;
  // Less says nothing about a month.
  static constexpr std::chrono::minutes kShortestWatch{1};

  // Requests that came during the last `watched` before `now`.
  void add(std::uint64_t requests, std::chrono::milliseconds watched, Clock::time_point now);
  void merge(const TrafficTally& other);

  struct Pace {
    double requests_per_month = 0.0;  // of 365 / 12 days
    std::chrono::seconds watched{0};
  };
  // As if it went on like this; none before kShortestWatch.
  std::optional<Pace> pace() const noexcept;

  nlohmann::json to_json() const;
  // Throws for what to_json() did not write.
  static TrafficTally from_json(const nlohmann::json& json);
  friend bool operator==(const TrafficTally&, const TrafficTally&) = default;

 private:
  struct Hour {
    std::uint64_t requests = 0;
    std::int64_t milliseconds = 0;
    friend bool operator==(const Hour&, const Hour&) = default;
  };
  void forget_old();
  std::map<std::int64_t, Hour> hours_;  // since 1970
};

}  // namespace understudy::metrics
