#pragma once
// Remembers which SDK calls were copied already, so that a call that the SDK repeats is copied
// once. Bounded by number and age; one thread.

#include <chrono>
#include <cstdint>
#include <deque>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace understudy::proxy {

class SeenCalls {
 public:
  static constexpr std::size_t kMaxCalls = 65'536;
  static constexpr std::chrono::minutes kMaxAge{15};  // longer than an SDK goes on repeating a call

  // True the first time an id is given; ids are known by a 64-bit hash.
  bool first_time(std::string_view invocation_id, std::chrono::steady_clock::time_point now);

 private:
  std::unordered_set<std::uint64_t> known_;
  std::deque<std::pair<std::chrono::steady_clock::time_point, std::uint64_t>> by_age_;
};

}  // namespace understudy::proxy
