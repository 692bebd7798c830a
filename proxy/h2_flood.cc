#include "proxy/h2_flood.h"

#include <algorithm>

namespace understudy::proxy {

bool H2FloodGuard::Bucket::take(const routing::RateLimit& limit, TimePoint now) noexcept {
  const std::chrono::duration<double> passed = now - at_;
  at_ = now;
  tokens_ = std::min(static_cast<double>(limit.burst),
                     tokens_ + passed.count() * static_cast<double>(limit.per_second));
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

H2FloodGuard::H2FloodGuard(const routing::Http2Limits& limits, TimePoint now) noexcept
    : limits_(limits),
      resets_received_(limits.resets_received, now),
      resets_sent_(limits.resets_sent, now),
      pings_(limits.pings, now),
      settings_(limits.settings, now) {}

std::string_view H2FloodGuard::received(H2Frame frame, TimePoint now) noexcept {
  switch (frame) {
    case H2Frame::data:
      empty_data_ = 0;
      return {};
    case H2Frame::empty_data:
      return ++empty_data_ > limits_.max_empty_data ? "max_empty_data" : "";
    case H2Frame::priority:
      return ++priorities_ > limits_.max_priorities_per_stream * (1 + streams_)
                 ? "max_priorities_per_stream"
                 : "";
    case H2Frame::reset:
      return resets_received_.take(limits_.resets_received, now) ? "" : "resets_received";
    case H2Frame::settings:
      return settings_.take(limits_.settings, now) ? "" : "settings";
    case H2Frame::ping:
      return pings_.take(limits_.pings, now) ? "" : "pings";
    case H2Frame::window_update:
      return ++window_updates_ >
                     5 + 2 * (streams_ + limits_.max_window_updates_per_data * data_sent_)
                 ? "max_window_updates_per_data"
                 : "";
    case H2Frame::unknown:
      return ++unknown_ > limits_.max_unknown_frames ? "max_unknown_frames" : "";
  }
  return {};
}

std::string_view H2FloodGuard::reset_sent(TimePoint now) noexcept {
  return resets_sent_.take(limits_.resets_sent, now) ? "" : "resets_sent";
}

std::string_view H2FloodGuard::glitch() noexcept {
  return ++glitches_ > limits_.max_glitches ? "max_glitches" : "";
}

}  // namespace understudy::proxy
