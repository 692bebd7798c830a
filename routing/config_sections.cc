#include "routing/config_sections.h"

namespace understudy::routing {
namespace {

constexpr milliseconds kDay = 24h;

Parsed<RecordsConfig::Content> parse_content(std::string_view text) {
  using Content = RecordsConfig::Content;
  if (text == "none") return good(Content::none);
  if (text == "redacted") return good(Content::redacted);
  if (text == "full") return good(Content::full);
  return bad<Content>("must be none, redacted or full, got " + shown(text));
}

Parsed<LogConfig::Level> parse_level(std::string_view text) {
  using Level = LogConfig::Level;
  if (text == "debug") return good(Level::debug);
  if (text == "info") return good(Level::info);
  if (text == "warn") return good(Level::warn);
  if (text == "error") return good(Level::error);
  return bad<Level>("must be debug, info, warn or error, got " + shown(text));
}

void read_rate(Section& parent, std::string_view key, RateLimit& rate) {
  const ConfigNode* node = parent.find(key);
  if (node == nullptr) return;
  Section section(*node, parent.path_of(key), parent.problems());
  section.read("burst", rate.burst, count_between(1, 1'000'000));
  section.read("per_second", rate.per_second, count_between(0, 1'000'000));
  section.finish();
}

void read_http2_limits(Section& parent, Http2Limits& limits) {
  const ConfigNode* node = parent.find("http2");
  if (node == nullptr) return;
  constexpr std::size_t kSmallestWindow = 65'535;  // RFC 9113 6.9.2: what a client begins with
  constexpr std::size_t kLargestWindow = std::size_t{1} << 30;
  Section section(*node, parent.path_of("http2"), parent.problems());
  const auto count = count_between(1, 1'000'000);
  const auto window = size_between(kSmallestWindow, kLargestWindow);
  section.read("max_concurrent_streams", limits.max_concurrent_streams, count_between(1, 10'000));
  section.read("max_streams", limits.max_streams, count_between(1, 1'000'000'000));
  section.read("stream_window_bytes", limits.stream_window_bytes, window);
  section.read("connection_window_bytes", limits.connection_window_bytes, window);
  section.read("keep_alive_timeout", limits.keep_alive_timeout, duration_between(10ms, kDay));
  read_rate(section, "resets_received", limits.resets_received);
  read_rate(section, "resets_sent", limits.resets_sent);
  read_rate(section, "pings", limits.pings);
  read_rate(section, "settings", limits.settings);
  section.read("max_glitches", limits.max_glitches, count);
  section.read("max_priorities_per_stream", limits.max_priorities_per_stream, count);
  section.read("max_window_updates_per_data", limits.max_window_updates_per_data, count);
  section.read("max_empty_data", limits.max_empty_data, count);
  section.read("max_unknown_frames", limits.max_unknown_frames, count);
  section.read("max_continuations", limits.max_continuations, count_between(1, 1'000));
  section.read("max_pending_acks", limits.max_pending_acks, count_between(10, 10'000));
  section.finish();
}

}  // namespace

void read_path(Section& section, std::string_view key, const std::filesystem::path& directory,
               std::string& out) {
  std::string path;
  if (!section.read(key, path, parse_text)) return;
  out = (directory / path).lexically_normal().string();
}

void read_existing_file(Section& section, std::string_view key,
                        const std::filesystem::path& directory, std::string& out) {
  read_path(section, key, directory, out);
  std::error_code ignored;
  if (!out.empty() && !std::filesystem::is_regular_file(out, ignored)) {
    section.problem(key, "names no file: " + shown(out));
  }
}

void read_records(Section& root, const std::filesystem::path& directory, RecordsConfig& records) {
  const ConfigNode* node = root.find("records");
  if (node == nullptr) return;
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  constexpr std::size_t kTiB = std::size_t{1} << 40;
  Section section(*node, "records", root.problems());
  section.require("directory");
  read_path(section, "directory", directory, records.directory);
  section.read("content", records.content, parse_content);
  section.read("rotate_bytes", records.rotate_bytes, size_between(kMiB, kTiB));
  section.read("max_total_bytes", records.max_total_bytes, size_between(kMiB, 1024 * kTiB));
  section.read("keep_free_bytes", records.keep_free_bytes, size_between(0, 1024 * kTiB));
  section.read("max_queued_bytes", records.max_queued_bytes, size_between(kMiB, kTiB));
  if (records.max_total_bytes < records.rotate_bytes) {
    section.problem("max_total_bytes", "must not be below rotate_bytes (" +
                                           size_text(records.rotate_bytes) + "), got " +
                                           size_text(records.max_total_bytes));
  }
  section.not_yet({"encryption", "key_file"});
  section.finish();
}

void read_limits(Section& root, LimitsConfig& limits) {
  const ConfigNode* node = root.find("limits");
  if (node == nullptr) return;
  constexpr std::size_t kKiB = std::size_t{1} << 10;
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  constexpr std::size_t kGiB = std::size_t{1} << 30;
  Section section(*node, "limits", root.problems());
  const auto time = duration_between(10ms, kDay);
  section.read("max_connections", limits.max_connections, count_between(1, 1'000'000));
  section.read("tls_handshake_timeout", limits.tls_handshake_timeout, time);
  section.read("max_tls_sessions", limits.max_tls_sessions, count_between(1, 10'000'000));
  section.read("header_timeout", limits.header_timeout, time);
  section.read("keep_alive_timeout", limits.keep_alive_timeout, time);
  section.read("tcp_keep_alive", limits.tcp_keep_alive, tcp_keep_alive_between());
  section.read("max_header_bytes", limits.max_header_bytes, size_between(kKiB, kMiB));
  section.read("max_header_fields", limits.max_header_fields, count_between(8, 10'000));
  section.read("max_target_bytes", limits.max_target_bytes, size_between(256, 64 * kKiB));
  section.read("max_body_bytes", limits.max_body_bytes, size_between(kKiB, kGiB));
  section.read("max_chunk_overhead_bytes", limits.max_chunk_overhead_bytes,
               size_between(kKiB, kGiB));
  section.read("max_buffered_body_bytes", limits.max_buffered_body_bytes,
               size_between(kKiB, 1024 * kGiB));
  if (limits.max_buffered_body_bytes < limits.max_body_bytes) {
    section.problem("max_buffered_body_bytes", "must not be below max_body_bytes (" +
                                                   size_text(limits.max_body_bytes) + "), got " +
                                                   size_text(limits.max_buffered_body_bytes));
  }
  section.read("body_idle_timeout", limits.body_idle_timeout, time);
  section.read("min_body_bytes_per_second", limits.min_body_bytes_per_second,
               size_between(0, kGiB));
  section.read("body_rate_grace", limits.body_rate_grace, time);
  section.read("write_timeout", limits.write_timeout, time);
  section.read("max_response_header_bytes", limits.max_response_header_bytes,
               size_between(kKiB, kMiB));
  section.read("max_shadow_bytes", limits.max_shadow_bytes, size_between(kMiB, 1024 * kGiB));
  section.read("max_conversation_scan_bytes", limits.max_conversation_scan_bytes,
               size_between(kKiB, kGiB));
  section.read("max_model_scan_bytes", limits.max_model_scan_bytes, size_between(kKiB, kGiB));
  section.read("max_analysis_queue", limits.max_analysis_queue, count_between(1, 1'000'000));
  section.read("max_analysis_bytes", limits.max_analysis_bytes, size_between(kMiB, 1024 * kGiB));
  section.read("linger_timeout", limits.linger_timeout, time);
  section.read("max_linger_bytes", limits.max_linger_bytes, size_between(0, kGiB));
  section.read("max_seen_calls", limits.max_seen_calls, count_between(1, 10'000'000));
  section.read("seen_calls_for", limits.seen_calls_for, duration_between(1s, kDay));
  read_http2_limits(section, limits.http2);
  section.finish();
}

void read_process(Section& root, const std::filesystem::path& directory, Config& config) {
  if (const ConfigNode* node = root.find("state")) {
    Section section(*node, "state", root.problems());
    section.require("directory");
    read_path(section, "directory", directory, config.state_directory);
    section.finish();
  }
  if (const ConfigNode* node = root.find("threads")) {
    Section section(*node, "threads", root.problems());
    section.read("io", config.threads.io, count_between(0, 256));
    section.not_yet({"shadow", "analysis"});
    section.finish();
  }
  if (const ConfigNode* node = root.find("drain")) {
    Section section(*node, "drain", root.problems());
    section.read("lame_duck", config.drain.lame_duck, duration_between(0ms, 1h));
    section.read("timeout", config.drain.timeout, duration_between(0ms, kDay));
    section.finish();
  }
  if (const ConfigNode* node = root.find("log")) {
    Section section(*node, "log", root.problems());
    section.read("level", config.log.level, parse_level);
    section.finish();
  }
  root.read("sampling_salt", config.sampling_salt, parse_text);
  read_existing_file(root, "prices_file", directory, config.prices_file);
  read_existing_file(root, "quotas_file", directory, config.quotas_file);
}

}  // namespace understudy::routing
