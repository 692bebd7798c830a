#pragma once
// Counts what a client of HTTP/2 can send without asking for anything, and what it can make us
// send: nghttp2 1.52 lets most of it pass (PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown
// frames) or answers without end (CVE-2025-8671). The formulas for PRIORITY and WINDOW_UPDATE are
// Envoy's (envoy.config.core.v3.Http2ProtocolOptions). One per connection, one thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "routing/config.h"

namespace understudy::proxy {

enum class H2Frame : std::uint8_t {
  data,
  empty_data,  // without END_STREAM
  priority,
  reset,
  settings,
  ping,
  window_update,
  unknown,
};

class H2FloodGuard {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `limits` may change; the object must outlive the guard.
  H2FloodGuard(const routing::Http2Limits& limits, TimePoint now) noexcept;

  void stream_opened() noexcept { ++streams_; }
  void data_sent() noexcept { ++data_sent_; }
  std::size_t streams() const noexcept { return streams_; }

  // Each returns the key of the limit that is broken by it; usually none, which is empty.
  std::string_view received(H2Frame frame, TimePoint now) noexcept;
  std::string_view reset_sent(TimePoint now) noexcept;
  std::string_view glitch() noexcept;

 private:
  class Bucket {
   public:
    Bucket(const routing::RateLimit& limit, TimePoint now) noexcept
        : tokens_(static_cast<double>(limit.burst)), at_(now) {}
    bool take(const routing::RateLimit& limit, TimePoint now) noexcept;

   private:
    double tokens_;
    TimePoint at_;
  };

  const routing::Http2Limits& limits_;
  std::size_t streams_ = 0, data_sent_ = 0;
  std::size_t glitches_ = 0, priorities_ = 0, window_updates_ = 0, empty_data_ = 0, unknown_ = 0;
  Bucket resets_received_, resets_sent_, pings_, settings_;
};

}  // namespace understudy::proxy
