#include "proxy/seen_calls.h"

#include <functional>

namespace understudy::proxy {

bool SeenCalls::first_time(std::string_view invocation_id,
                           std::chrono::steady_clock::time_point now,
                           const routing::LimitsConfig& limits) {
  while (!by_age_.empty()) {
    const bool old = now - by_age_.front().first > limits.seen_calls_for;
    if (!old && by_age_.size() < limits.max_seen_calls) break;
    if (!old) recorder_.refused("max_seen_calls");
    known_.erase(by_age_.front().second);
    by_age_.pop_front();
  }
  const std::uint64_t hash = std::hash<std::string_view>{}(invocation_id);
  if (!known_.insert(hash).second) return false;
  by_age_.emplace_back(now, hash);
  return true;
}

}  // namespace understudy::proxy
