#pragma once
// How fast a request's body must come: a client that drips it holds a connection for nothing. A
// value of one request, on its thread.

#include <chrono>
#include <cstddef>

#include "routing/config.h"

namespace understudy::proxy {

class BodyPace {
 public:
  using Clock = std::chrono::steady_clock;
  using milliseconds = std::chrono::milliseconds;

  // The body begins now.
  BodyPace(const routing::LimitsConfig& limits, Clock::time_point now) noexcept
      : limits_(limits), began_(now) {}

  // How long the next bytes may take when `received` of the body are there: until the pause is too
  // long, or until all of it has come more slowly than it may. Never negative.
  milliseconds patience(std::size_t received, Clock::time_point now) noexcept;

  // Which key of `limits` the last patience() came from.
  const char* limit() const noexcept {
    return too_slow_ ? "min_body_bytes_per_second" : "body_idle_timeout";
  }

 private:
  const routing::LimitsConfig& limits_;
  Clock::time_point began_;
  bool too_slow_ = false;
};

}  // namespace understudy::proxy
