#include "metrics/evidence/repeats.h"

#include <utility>

namespace understudy::metrics {

bool RepeatGuard::is_new(std::uint64_t conversation, std::uint64_t body,
                         std::chrono::system_clock::time_point now) {
  const std::int64_t hour = std::chrono::floor<std::chrono::hours>(now).time_since_epoch().count();
  const std::int64_t day = std::chrono::floor<std::chrono::days>(now).time_since_epoch().count();
  if (std::exchange(hour_, hour) != hour || conversations_.size() >= kMaxKnown)
    conversations_.clear();
  if (std::exchange(day_, day) != day || bodies_.size() >= kMaxKnown) bodies_.clear();
  const bool first_of_conversation = ++conversations_[conversation] == 1;
  return first_of_conversation && ++bodies_[body] <= kMaxPerBody;
}

}  // namespace understudy::metrics
