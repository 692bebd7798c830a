#pragma once
// Tells pairs that say something new from repeats: turns of one conversation and identical requests
// tend to one outcome, and counting each as a trial of its own would feign certainty (divergence
// reference 2.6). Bounded; one thread.

#include <chrono>
#include <cstdint>
#include <unordered_map>

namespace understudy::metrics {

class RepeatGuard {
 public:
  static constexpr std::size_t kMaxKnown = 65'536;  // of each kind; then all are forgotten
  static constexpr std::uint32_t kMaxPerBody = 20;  // identical requests a day

  // True where the pair counts: the first of its conversation in this hour of the clock, and not
  // more than kMaxPerBody of the same body today.
  bool is_new(std::uint64_t conversation, std::uint64_t body,
              std::chrono::system_clock::time_point now);

 private:
  std::unordered_map<std::uint64_t, std::uint32_t> conversations_;  // seen in hour_
  std::unordered_map<std::uint64_t, std::uint32_t> bodies_;         // how often on day_
  std::int64_t hour_ = 0;
  std::int64_t day_ = 0;
};

}  // namespace understudy::metrics
