#pragma once
// How many requests a route gets, of all its traffic and not only of what is copied: by hours of
// the clock, with the time that was watched and the pairs that came, for the last week. Proxies of
// one fleet add up: their requests and pairs are summed, the time is the same. One thread.

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
  // Of the busiest hour's requests: what has as many is a peak, too. No two days are the same.
  static constexpr double kPeakShare = 0.8;

  // Requests that came during the last `watched` before `now`.
  void add(std::uint64_t requests, std::chrono::milliseconds watched, Clock::time_point now);
  // A pair that stands for all traffic came.
  void add_pair(Clock::time_point now);
  void merge(const TrafficTally& other);
  // The same traffic, of which no pair is known: for what begins to be compared now.
  TrafficTally without_pairs() const;

  // How much traffic the busiest of the hours had, and the busiest of those that pairs came in: by
  // requests that were watched, so an hour of which only a part was seen is no busier than that.
  struct Peak {
    std::uint64_t requests = 0;
    std::uint64_t requests_with_pairs = 0;
    // Whether what was compared was seen at a peak as well: candidates fail there first.
    bool is_covered() const noexcept {
      return static_cast<double>(requests_with_pairs) >= kPeakShare * static_cast<double>(requests);
    }
  };
  // None where no request was watched.
  std::optional<Peak> peak() const noexcept;

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
    std::uint64_t pairs = 0;
    friend bool operator==(const Hour&, const Hour&) = default;
  };
  void forget_old();
  std::map<std::int64_t, Hour> hours_;  // since 1970
};

}  // namespace understudy::metrics
