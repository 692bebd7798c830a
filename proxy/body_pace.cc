#include "proxy/body_pace.h"

#include <algorithm>

namespace understudy::proxy {

std::chrono::milliseconds BodyPace::patience(std::size_t received, Clock::time_point now) noexcept {
  const std::size_t rate = limits_.min_body_bytes_per_second;
  too_slow_ = false;
  if (rate == 0) return limits_.body_idle_timeout;
  // What has come pays for the time that it took, beyond the time that is given to all.
  const milliseconds paid = limits_.body_rate_grace +
                            milliseconds{static_cast<milliseconds::rep>(received * 1000 / rate)};
  const auto left = std::chrono::duration_cast<milliseconds>(began_ + paid - now);
  too_slow_ = left < limits_.body_idle_timeout;
  return too_slow_ ? std::max(left, milliseconds{0}) : limits_.body_idle_timeout;
}

}  // namespace understudy::proxy
