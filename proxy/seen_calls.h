#pragma once
// Remembers which SDK calls were copied already, so that a call that the SDK repeats is copied
// once. Bounded by number and age (limits.max_seen_calls, limits.seen_calls_for); one thread.

#include <chrono>
#include <cstdint>
#include <deque>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "metrics/recorder.h"
#include "routing/config.h"

namespace understudy::proxy {

class SeenCalls {
 public:
  explicit SeenCalls(metrics::Recorder& recorder) : recorder_(recorder) {}

  // True the first time an id is given; ids are known by a 64-bit hash. Calls that are forgotten
  // before their time, for want of room, are counted as refused by max_seen_calls.
  bool first_time(std::string_view invocation_id, std::chrono::steady_clock::time_point now,
                  const routing::LimitsConfig& limits);

 private:
  metrics::Recorder& recorder_;
  std::unordered_set<std::uint64_t> known_;
  std::deque<std::pair<std::chrono::steady_clock::time_point, std::uint64_t>> by_age_;
};

}  // namespace understudy::proxy
