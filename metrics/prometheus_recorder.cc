// Numbers are kept in our own relaxed atomics (route_counters.h): Histogram::Observe of
// prometheus-cpp 1.0 takes a mutex and its counters are one compare-and-swap loop for all threads.
// Here they are only turned into its families, when somebody asks for the page.

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <utility>
#include <vector>

#include "metrics/prometheus_families.h"
#include "metrics/prometheus_routes.h"
#include "metrics/recorder.h"
#include "metrics/route_counters.h"
#include "metrics/sharded.h"

namespace understudy::metrics {

namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::array kOverheadBounds{0.000001, 0.0000025, 0.000005, 0.00001, 0.000025,
                                     0.00005,  0.0001,    0.00025,  0.0005,  0.001,
                                     0.0025,   0.005,     0.01};

// What refused_total may be labelled with: keys under `limits` and the rules of the HTTP gate. All
// else is "other", which is the last, so that no request can make a series.
constexpr std::array<std::string_view, 60> kRefusals{"max_connections",
                                                     "open_files",
                                                     "accept",
                                                     "header_timeout",
                                                     "body_idle_timeout",
                                                     "min_body_bytes_per_second",
                                                     "keep_alive_timeout",
                                                     "write_timeout",
                                                     "max_header_bytes",
                                                     "max_header_fields",
                                                     "max_target_bytes",
                                                     "max_body_bytes",
                                                     "max_buffered_body_bytes",
                                                     "max_response_header_bytes",
                                                     "linger_timeout",
                                                     "max_linger_bytes",
                                                     "max_seen_calls",
                                                     "request_line",
                                                     "line_end",
                                                     "version",
                                                     "target",
                                                     "header_line",
                                                     "header_name",
                                                     "header_value",
                                                     "host",
                                                     "hosts",
                                                     "connection",
                                                     "authorization",
                                                     "content_length",
                                                     "transfer_encoding",
                                                     "framing",
                                                     "chunks",
                                                     "max_chunk_overhead_bytes",
                                                     "expect",
                                                     "http2_required",
                                                     "event_stream",
                                                     "max_pending_acks",
                                                     "max_continuations",
                                                     "max_empty_data",
                                                     "max_unknown_frames",
                                                     "max_priorities_per_stream",
                                                     "max_window_updates_per_data",
                                                     "max_glitches",
                                                     "resets_received",
                                                     "resets_sent",
                                                     "pings",
                                                     "settings",
                                                     "http2",
                                                     "pseudo_header",
                                                     "no_route",
                                                     "admin_token",
                                                     "admin.max_connections",
                                                     "admin.read_only.max_connections",
                                                     "no_credentials",
                                                     "api_key",
                                                     "access_key",
                                                     "signature",
                                                     "clock_skew",
                                                     "certificate",
                                                     "other"};

// What tls_handshakes_total may be labelled with; all else is "other", the last.
constexpr std::array<std::string_view, 12> kHandshakes{
    "full",   "resumed", "timeout",        "closed",          "not_tls", "version",
    "cipher", "alpn",    "no_certificate", "bad_certificate", "alert",   "other"};

constexpr std::array<std::string_view, 3> kReloadLabels{"applied", "unchanged", "refused"};
constexpr std::array<std::string_view, 3> kPhaseLabels{"decide", "sign", "rewrite"};

class PrometheusRecorder final : public Recorder, public prometheus::Collectable {
 public:
  RouteMeter& route(std::string_view name) override {
    const std::lock_guard lock{mutex_};
    auto& slot = routes_[std::string{name}];
    if (!slot) slot = std::make_unique<RouteCounters>(name);
    return *slot;
  }

  void config_applied(const routing::Config& config) override {
    read_good_config();
    std::vector<RouteShares> shares;
    shares.reserve(config.routes.size());
    for (const routing::RouteConfig& route : config.routes) {
      shares.push_back({route.name, route.shadow.percent.value()});
    }
    const std::lock_guard lock{mutex_};
    shares_ = std::move(shares);
    config_hash_ = config.hash;
    const auto is_gone = [&config](const std::string& upstream) {
      return std::none_of(
          config.upstreams.begin(), config.upstreams.end(),
          [&upstream](const routing::UpstreamConfig& one) { return one.name == upstream; });
    };
    std::erase_if(credential_expiry_, [&](const auto& entry) { return is_gone(entry.first); });
    std::erase_if(credential_refreshes_,
                  [&](const auto& entry) { return is_gone(entry.first.first); });
  }

  void reload(ReloadResult result) noexcept override {
    reloads_.add(static_cast<std::size_t>(result));
    refused_last_.store(result == ReloadResult::refused, std::memory_order_relaxed);
    if (result != ReloadResult::refused) read_good_config();
  }

  void overhead(Phase phase, std::chrono::nanoseconds spent) noexcept override {
    overhead_[static_cast<std::size_t>(phase)].observe(spent);
  }
  void connection_opened() noexcept override { connections_.add(0); }
  void connection_closed() noexcept override { connections_.add(1); }
  void refused(std::string_view limit) noexcept override {
    const auto found = std::find(kRefusals.begin(), kRefusals.end() - 1, limit);
    refused_.add(static_cast<std::size_t>(found - kRefusals.begin()));
  }
  void model_unread(routing::BodyModelProblem problem) noexcept override {
    models_unread_.add(static_cast<std::size_t>(problem));
  }
  void tls_handshake(std::string_view result) noexcept override {
    const auto found = std::find(kHandshakes.begin(), kHandshakes.end() - 1, result);
    handshakes_.add(static_cast<std::size_t>(found - kHandshakes.begin()));
  }
  void certificates(std::vector<CertificateExpiry> all) override {
    const std::lock_guard lock{mutex_};
    certificates_ = std::move(all);
  }
  void request_bodies(std::size_t bytes) noexcept override {
    request_bodies_.store(bytes, std::memory_order_relaxed);
  }
  void records_dropped() noexcept override { records_.add(1); }
  void records_written() noexcept override { records_.add(0); }
  void records_queued(std::int64_t more_bytes) noexcept override {
    records_queued_.fetch_add(more_bytes, std::memory_order_relaxed);
  }
  void shadow_load(std::size_t queued, std::size_t in_flight, std::size_t bytes) noexcept override {
    shadow_queued_.store(queued, std::memory_order_relaxed);
    shadow_in_flight_.store(in_flight, std::memory_order_relaxed);
    shadow_bytes_.store(bytes, std::memory_order_relaxed);
  }

  void credentials_refreshed(std::string_view upstream, std::string_view result) noexcept override {
    const std::lock_guard lock{mutex_};
    ++credential_refreshes_[{std::string{upstream}, std::string{result}}];
  }
  void credentials_expire(
      std::string_view upstream,
      std::optional<std::chrono::system_clock::time_point> when) noexcept override {
    const std::lock_guard lock{mutex_};
    if (when) {
      credential_expiry_[std::string{upstream}] =
          std::chrono::duration<double>(when->time_since_epoch()).count();
    } else {
      credential_expiry_.erase(std::string{upstream});
    }
  }

  std::string render() const override {
    std::ostringstream page;
    prometheus::TextSerializer{}.Serialize(page, Collect());
    return std::move(page).str();
  }

  std::vector<MetricFamily> Collect() const override {
    std::vector<MetricFamily> all;
    const std::lock_guard lock{mutex_};
    RouteFamilies routes;
    for (const auto& [name, counters] : routes_) routes.add(*counters);
    routes.move_to(all);
    collect_config(all);
    collect_process(all);
    collect_credentials(all);
    collect_tls(all);
    return all;
  }

 private:
  struct RouteShares {
    std::string name;
    double shadow_percent = 0.0;
  };

  void read_good_config() noexcept {
    good_config_read_.store(
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(),
        std::memory_order_relaxed);
  }

  void collect_config(std::vector<MetricFamily>& all) const;
  void collect_process(std::vector<MetricFamily>& all) const;
  void collect_credentials(std::vector<MetricFamily>& all) const;
  void collect_tls(std::vector<MetricFamily>& all) const;

  // Self-synchronised:
  ShardedCounters<kReloadLabels.size()> reloads_;
  std::array<TimeHistogram<kOverheadBounds.size()>, kPhaseLabels.size()> overhead_{
      TimeHistogram{kOverheadBounds}, TimeHistogram{kOverheadBounds},
      TimeHistogram{kOverheadBounds}};
  ShardedCounters<2> connections_;  // opened, closed
  ShardedCounters<kRefusals.size()> refused_;
  ShardedCounters<routing::kBodyModelProblems> models_unread_;
  ShardedCounters<kHandshakes.size()> handshakes_;
  ShardedCounters<2> records_;  // written, dropped
  std::atomic<bool> refused_last_{false};
  std::atomic<double> good_config_read_{0.0};
  std::atomic<std::size_t> request_bodies_{0};
  std::atomic<std::int64_t> records_queued_{0};
  std::atomic<std::size_t> shadow_queued_{0}, shadow_in_flight_{0}, shadow_bytes_{0};
  // Guarded by mutex_:
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<RouteCounters>>
      routes_;  // never removed: handles point at them
  std::vector<RouteShares> shares_;
  std::vector<CertificateExpiry> certificates_;
  std::string config_hash_;
  // By upstream, and by upstream and result.
  std::map<std::string, double> credential_expiry_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> credential_refreshes_;
};

void PrometheusRecorder::collect_credentials(std::vector<MetricFamily>& all) const {
  MetricFamily& refreshes =
      all.emplace_back(family("credential_refreshes_total", MetricType::Counter,
                              "Tries to fetch an upstream's credentials, by what came of them."));
  for (const auto& [series, count] : credential_refreshes_) {
    add_counter(refreshes, labels({{"upstream", series.first}, {"result", series.second}}), count);
  }
  MetricFamily& expiry =
      all.emplace_back(family("credential_expiry_timestamp_seconds", MetricType::Gauge,
                              "When an upstream's credentials end, where they do."));
  for (const auto& [upstream, when] : credential_expiry_) {
    add_gauge(expiry, labels({{"upstream", upstream}}), when);
  }
}

void PrometheusRecorder::collect_config(std::vector<MetricFamily>& all) const {
  MetricFamily& shadow =
      all.emplace_back(family("shadow_percent", MetricType::Gauge,
                              "Share of exchanges copied to the other variant, as configured."));
  for (const RouteShares& route : shares_) {
    add_gauge(shadow, labels({{"route", route.name}}), route.shadow_percent);
  }
  MetricFamily& info =
      all.emplace_back(family("config_info", MetricType::Gauge, "The config in force."));
  if (!config_hash_.empty()) add_gauge(info, labels({{"hash", config_hash_}}), 1.0);
  MetricFamily& reloads = all.emplace_back(
      family("config_reloads_total", MetricType::Counter, "Attempts to load a config."));
  for (std::size_t i = 0; i < kReloadLabels.size(); ++i) {
    add_counter(reloads, labels({{"result", kReloadLabels[i]}}), reloads_.sum(i));
  }
  add_gauge(all.emplace_back(family("config_last_reload_successful", MetricType::Gauge,
                                    "0 where the last config that was read was refused.")),
            {}, refused_last_.load(std::memory_order_relaxed) ? 0.0 : 1.0);
  const double last = good_config_read_.load(std::memory_order_relaxed);
  if (last <= 0.0) return;
  add_gauge(all.emplace_back(family("config_last_reload_success_timestamp_seconds",
                                    MetricType::Gauge, "When the last good config was read.")),
            {}, last);
}

void PrometheusRecorder::collect_process(std::vector<MetricFamily>& all) const {
  MetricFamily& overhead =
      all.emplace_back(family("proxy_overhead_seconds", MetricType::Histogram,
                              "Time the proxy itself spent on a request, by phase."));
  for (std::size_t i = 0; i < kPhaseLabels.size(); ++i) {
    add_histogram(overhead, labels({{"phase", kPhaseLabels[i]}}), overhead_[i]);
  }
  const auto gauge = [&all](std::string_view name, std::string_view help, double value) {
    add_gauge(all.emplace_back(family(name, MetricType::Gauge, help)), {}, value);
  };
  const std::uint64_t closed = connections_.sum(1);  // first: the difference is never negative
  gauge("connections", "Open client connections.",
        static_cast<double>(connections_.sum(0) - closed));
  gauge("request_body_bytes", "Bytes of request bodies held for the requests under way.",
        static_cast<double>(request_bodies_.load(std::memory_order_relaxed)));
  gauge("shadow_queue", "Copies admitted and waiting.",
        static_cast<double>(shadow_queued_.load(std::memory_order_relaxed)));
  gauge("shadow_in_flight", "Copies under way.",
        static_cast<double>(shadow_in_flight_.load(std::memory_order_relaxed)));
  gauge("shadow_bytes", "Bytes of bodies and answers held for copies.",
        static_cast<double>(shadow_bytes_.load(std::memory_order_relaxed)));
  gauge("records_queued_bytes", "Bytes of comparison records that wait for their disk.",
        static_cast<double>(records_queued_.load(std::memory_order_relaxed)));
  MetricFamily& refused =
      all.emplace_back(family("refused_total", MetricType::Counter,
                              "Requests and connections turned away, and limits that were met."));
  for (std::size_t i = 0; i < kRefusals.size(); ++i) {
    const std::uint64_t count = refused_.sum(i);
    if (count != 0) add_counter(refused, labels({{"limit", kRefusals[i]}}), count);
  }
  MetricFamily& unread =
      all.emplace_back(family("body_model_unread_total", MetricType::Counter,
                              "Requests whose body does not say clearly which model it asks for."));
  for (std::size_t i = 0; i < routing::kBodyModelProblems; ++i) {
    const std::uint64_t count = models_unread_.sum(i);
    const auto reason = label(static_cast<routing::BodyModelProblem>(i));
    if (count != 0) add_counter(unread, labels({{"reason", reason}}), count);
  }
  MetricFamily& records = all.emplace_back(
      family("records_total", MetricType::Counter, "Comparison records by what became of them."));
  add_counter(records, labels({{"result", "written"}}), records_.sum(0));
  add_counter(records, labels({{"result", "dropped"}}), records_.sum(1));
  add_gauge(all.emplace_back(family("build_info", MetricType::Gauge, "The program's version.")),
            labels({{"version", UNDERSTUDY_VERSION}}), 1.0);
}

void PrometheusRecorder::collect_tls(std::vector<MetricFamily>& all) const {
  MetricFamily& handshakes = all.emplace_back(family("tls_handshakes_total", MetricType::Counter,
                                                     "TLS handshakes with clients, by their end."));
  for (std::size_t i = 0; i < kHandshakes.size(); ++i) {
    const std::uint64_t count = handshakes_.sum(i);
    if (count != 0) add_counter(handshakes, labels({{"result", kHandshakes[i]}}), count);
  }
  MetricFamily& expiry =
      all.emplace_back(family("certificate_expiry_timestamp_seconds", MetricType::Gauge,
                              "When a listener's certificate ceases to be valid."));
  for (const CertificateExpiry& certificate : certificates_) {
    add_gauge(expiry, labels({{"listener", certificate.listener}, {"file", certificate.file}}),
              std::chrono::duration<double>(certificate.expires.time_since_epoch()).count());
  }
}

}  // namespace

std::unique_ptr<Recorder> make_prometheus_recorder() {
  return std::make_unique<PrometheusRecorder>();
}

}  // namespace understudy::metrics
