// What a config that says nothing gets: the figures that operators plan by, written out
// once more so that none changes unnoticed.

#include <gtest/gtest.h>

#include <string>

#include "routing/config_loader.h"
#include "tests/routing/config_text.h"

namespace understudy::routing {
namespace {

TEST(ConfigDefaults, OfLimits) {
  constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;
  const Config config = good("");
  const LimitsConfig& limits = config.limits;
  EXPECT_EQ(limits.max_connections, 10'000U);
  EXPECT_EQ(limits.tls_handshake_timeout, 10s);
  EXPECT_EQ(limits.max_tls_sessions, 20'480U);
  EXPECT_EQ(limits.header_timeout, 10s);
  EXPECT_EQ(limits.keep_alive_timeout, 75s);
  EXPECT_EQ(limits.tcp_keep_alive, 60s);
  EXPECT_EQ(limits.max_header_bytes, 32 * kKiB);
  EXPECT_EQ(limits.max_header_fields, 100U);
  EXPECT_EQ(limits.max_target_bytes, 8 * kKiB);
  EXPECT_EQ(limits.max_body_bytes, 32 * kMiB);
  EXPECT_EQ(limits.max_chunk_overhead_bytes, 64 * kKiB);
  EXPECT_EQ(limits.max_buffered_body_bytes, kGiB);
  EXPECT_EQ(limits.body_idle_timeout, 30s);
  EXPECT_EQ(limits.min_body_bytes_per_second, kKiB);
  EXPECT_EQ(limits.body_rate_grace, 10s);
  EXPECT_EQ(limits.write_timeout, 120s);
  EXPECT_EQ(limits.max_response_header_bytes, 64 * kKiB);
  EXPECT_EQ(limits.max_shadow_bytes, 256 * kMiB);
  EXPECT_EQ(limits.max_conversation_scan_bytes, 256 * kKiB);
  EXPECT_EQ(limits.max_model_scan_bytes, 32 * kMiB);
  EXPECT_EQ(limits.max_analysis_queue, 8'192U);
  EXPECT_EQ(limits.max_analysis_bytes, 256 * kMiB);
  EXPECT_EQ(limits.linger_timeout, 2s);
  EXPECT_EQ(limits.max_linger_bytes, 64 * kMiB);
  EXPECT_EQ(limits.max_seen_calls, 65'536U);
  EXPECT_EQ(limits.seen_calls_for, 15min);
}

TEST(ConfigDefaults, OfLimitsOfHttp2) {
  const Config config = good("");
  const Http2Limits& limits = config.limits.http2;
  EXPECT_EQ(limits.max_concurrent_streams, 100U);
  EXPECT_EQ(limits.max_streams, 10'000U);
  EXPECT_EQ(limits.stream_window_bytes, 262'144U);
  EXPECT_EQ(limits.connection_window_bytes, 1'048'576U);
  EXPECT_EQ(limits.keep_alive_timeout, 300s);
  EXPECT_EQ(limits.resets_received, (RateLimit{200, 20}));
  EXPECT_EQ(limits.resets_sent, (RateLimit{100, 10}));
  EXPECT_EQ(limits.pings, (RateLimit{50, 10}));
  EXPECT_EQ(limits.settings, (RateLimit{20, 1}));
  EXPECT_EQ(limits.max_glitches, 100U);
  EXPECT_EQ(limits.max_priorities_per_stream, 100U);
  EXPECT_EQ(limits.max_window_updates_per_data, 10U);
  EXPECT_EQ(limits.max_empty_data, 10U);
  EXPECT_EQ(limits.max_unknown_frames, 100U);
  EXPECT_EQ(limits.max_continuations, 8U);
  EXPECT_EQ(limits.max_pending_acks, 200U);
}

TEST(ConfigDefaults, OfUpstreams) {
  const Config config = good("");
  const UpstreamConfig& upstream = config.upstreams.at(0);
  EXPECT_EQ(upstream.connect_timeout, 5s);
  EXPECT_EQ(upstream.first_byte_timeout, 1h);
  EXPECT_EQ(upstream.stream_idle_timeout, 10min);
  EXPECT_EQ(upstream.pool_idle_timeout, 20s);
  EXPECT_EQ(upstream.max_idle_connections, 256U);
  EXPECT_EQ(upstream.tcp_keep_alive, 60s);
  EXPECT_EQ(upstream.dns_refresh, 30s);
  EXPECT_EQ(upstream.dns_keep, 1h);
  EXPECT_FALSE(upstream.allow_plaintext);
  EXPECT_EQ(upstream.credentials.timeout, 2s);
}

TEST(ConfigDefaults, OfCopies) {
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  const Config config = good(
      "routes:\n  - name: r\n    primary: {upstream: here}\n"
      "    candidate: {upstream: here, model: a.b}\n");
  const ShadowConfig& shadow = config.routes.at(0).shadow;
  EXPECT_EQ(shadow.percent, Percent{}) << "nothing is copied until somebody says so";
  EXPECT_EQ(shadow.max_in_flight, 1'024U);
  EXPECT_EQ(shadow.max_queued, 4'096U);
  EXPECT_EQ(shadow.max_body_bytes, 8 * kMiB);
  EXPECT_EQ(shadow.max_capture_bytes, 16 * kMiB);
  EXPECT_EQ(shadow.connect_timeout, 3s);
  EXPECT_EQ(shadow.first_byte_timeout, 60s);
  EXPECT_EQ(shadow.timeout, 300s);
  EXPECT_TRUE(shadow.skip_probes);
  EXPECT_EQ(shadow.suspend_for, 10s);
  EXPECT_EQ(shadow.breaker.consecutive_failures, 5U);
  EXPECT_EQ(shadow.breaker.failure_percent, Percent{5'000});
  EXPECT_EQ(shadow.breaker.min_requests, 20U);
  EXPECT_EQ(shadow.breaker.window, 10s);
  EXPECT_EQ(shadow.breaker.open_for, 30s);
}

TEST(ConfigDefaults, OfTheRest) {
  constexpr std::size_t kMiB = std::size_t{1} << 20, kGiB = std::size_t{1} << 30;
  const Config config = good("records: {directory: r}\n");
  EXPECT_EQ(config.records.content, RecordsConfig::Content::none);
  EXPECT_EQ(config.records.rotate_bytes, 256 * kMiB);
  EXPECT_EQ(config.records.max_total_bytes, 10 * kGiB);
  EXPECT_EQ(config.records.keep_free_bytes, kGiB);
  EXPECT_EQ(config.records.max_queued_bytes, 16 * kMiB);
  EXPECT_EQ(config.admin.max_connections, 64U);
  EXPECT_EQ(config.drain.lame_duck, 5s);
  EXPECT_EQ(config.drain.timeout, 120s);
  EXPECT_EQ(config.threads.io, 0U) << "one for each core";
}

}  // namespace
}  // namespace understudy::routing
