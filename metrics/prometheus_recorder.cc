// The only door to prometheus-cpp. Numbers are kept in our own relaxed atomics (route_counters.h):
// Histogram::Observe of prometheus-cpp 1.0 takes a mutex and its counters are one compare-and-swap
// loop for all threads. Here they are only turned into its families, when somebody asks for the
// page.

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <utility>
#include <vector>

#include "metrics/recorder.h"
#include "metrics/route_counters.h"
#include "metrics/sharded.h"

namespace understudy::metrics {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::array kOverheadBounds{0.000001, 0.0000025, 0.000005, 0.00001, 0.000025,
                                     0.00005,  0.0001,    0.00025,  0.0005,  0.001,
                                     0.0025,   0.005,     0.01};

// What refused_total may be labelled with: keys under `limits` and the rules of the HTTP gate. All
// else is "other", which is the last, so that no request can make a series.
constexpr std::array<std::string_view, 63> kRefusals{"max_connections",
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
                                                     "max_response_header_bytes",
                                                     "max_shadow_bytes",
                                                     "linger_timeout",
                                                     "max_linger_bytes",
                                                     "max_seen_calls",
                                                     "request_line",
                                                     "line_end",
                                                     "version",
                                                     "method",
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
                                                     "chunk_overhead",
                                                     "expect",
                                                     "upgrade",
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
                                                     "draining",
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

Labels labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
  Labels all;
  all.reserve(pairs.size());
  for (const auto& [name, value] : pairs) all.push_back({std::string{name}, std::string{value}});
  return all;
}

MetricFamily family(std::string_view name, MetricType type, std::string_view help) {
  MetricFamily made;
  made.name = "understudy_" + std::string{name};
  made.help = help;
  made.type = type;
  return made;
}

void add_counter(MetricFamily& to, Labels with, double value) {
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(with);
  metric.counter.value = value;
}

void add_counter(MetricFamily& to, Labels with, std::uint64_t value) {
  add_counter(to, std::move(with), static_cast<double>(value));
}

void add_gauge(MetricFamily& to, Labels with, double value) {
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(with);
  metric.gauge.value = value;
}

template <std::size_t N>
void add_histogram(MetricFamily& to, Labels with, const TimeHistogram<N>& histogram) {
  const auto totals = histogram.totals();
  if (totals.count() == 0) return;
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(with);
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < N; ++i) {
    so_far += totals.buckets[i];
    metric.histogram.bucket.push_back({so_far, histogram.bounds()[i]});
  }
  so_far += totals.buckets[N];
  metric.histogram.bucket.push_back({so_far, std::numeric_limits<double>::infinity()});
  metric.histogram.sample_count = so_far;
  metric.histogram.sample_sum = totals.sum_seconds;
}

double percent(routing::Percent share) {
  return share.hundredths / 100.0;
}

std::string code_label(std::size_t slot) {
  return slot == 0 ? std::string{"none"} : std::to_string(slot + 99);
}

// The families that carry a route label, filled route by route.
struct RouteFamilies {
  MetricFamily requests = family("requests_total", MetricType::Counter,
                                 "Finished attempts at an upstream, by status code.");
  MetricFamily duration = family("request_duration_seconds", MetricType::Histogram,
                                 "From an attempt's begin to the end of its answer.");
  MetricFamily first_token = family("time_to_first_token_seconds", MetricType::Histogram,
                                    "From an attempt's begin to the first event with content.");
  MetricFamily per_token = family("time_per_output_token_seconds", MetricType::Histogram,
                                  "Mean time between output tokens after the first.");
  MetricFamily tokens =
      family("tokens_total", MetricType::Counter, "Tokens as the upstream counted them.");
  MetricFamily broken =
      family("broken_answers_total", MetricType::Counter,
             "Served answers that began as a success and failed later: cut by the upstream, or "
             "with an error in their stream.");
  MetricFamily usage_missing = family("usage_missing_total", MetricType::Counter,
                                      "Successful answers whose token usage is unknown.");
  MetricFamily cost = family("cost_usd_total", MetricType::Counter,
                             "Estimated cost of answers whose usage and price are known.");
  MetricFamily eligible = family("shadow_eligible_total", MetricType::Counter,
                                 "Understood operations on a route with a candidate.");
  MetricFamily shadow = family("shadow_total", MetricType::Counter,
                               "Where eligible exchanges ended; the results add up to eligible.");
  MetricFamily control = family("control_total", MetricType::Counter,
                                "Where second copies to the served variant ended.");
  MetricFamily divergence = family("divergence_total", MetricType::Counter,
                                   "Compared pairs in which the signal diverged.");
  MetricFamily comparisons =
      family("comparisons_total", MetricType::Counter, "Compared pairs by outcome.");

  MetricFamily fallbacks =
      family("fallbacks_total", MetricType::Counter,
             "Exchanges that the primary answered because the candidate could not.");
  MetricFamily takeovers =
      family("end_of_life_takeovers_total", MetricType::Counter,
             "Exchanges that the candidate answered because the primary's model is gone.");
  MetricFamily rewrites = family("rewrites_total", MetricType::Counter,
                                 "Requests that a compatibility preset changed.");

  void add(const RouteCounters& route);
  void move_to(std::vector<MetricFamily>& all);

 private:
  void add_requests(const RouteCounters& route);
  void add_spend(const RouteCounters& route);
  void add_stand_ins(const RouteCounters& route);
  static void add_ends(MetricFamily& to, const std::string& route, const PairSeries& pairs);
};

void RouteFamilies::add(const RouteCounters& route) {
  add_requests(route);
  add_spend(route);
  add_stand_ins(route);
  // Ends before beginnings, as in RouteCounters::counts().
  add_ends(shadow, route.name(), route.shadow());
  add_ends(control, route.name(), route.control());
  for (std::size_t i = 0; i < kSkipReasons; ++i) {
    const auto reason = static_cast<routing::SkipReason>(i);
    const std::uint64_t count = route.skips(reason);
    if (count == 0) continue;
    add_counter(shadow,
                labels({{"route", route.name()}, {"result", "skipped"}, {"reason", label(reason)}}),
                count);
  }
  add_counter(eligible, labels({{"route", route.name()}}), route.eligible_count());
  for (const auto& [signal, counts] : route.signals()) {
    if (counts.pairs == 0) continue;
    add_counter(divergence, labels({{"route", route.name()}, {"signal", label(signal)}}),
                counts.divergent);
  }
  add_counter(comparisons, labels({{"route", route.name()}, {"outcome", "same"}}),
              route.shadow().same());
  add_counter(comparisons, labels({{"route", route.name()}, {"outcome", "different"}}),
              route.shadow().different());
}

void RouteFamilies::add_requests(const RouteCounters& route) {
  for (const routing::Operation operation : routing::kOperations) {
    for (std::size_t variant = 0; variant < kVariants; ++variant) {
      for (std::size_t leg = 0; leg < kLegs; ++leg) {
        const RequestSeries* series =
            route.requests(static_cast<std::size_t>(operation), variant, leg);
        if (series == nullptr) continue;
        const Labels common = labels({{"route", route.name()},
                                      {"operation", label(operation)},
                                      {"variant", label(static_cast<routing::Variant>(variant))},
                                      {"leg", label(static_cast<Leg>(leg))}});
        const auto add_code = [&](std::string code, std::uint64_t count) {
          if (count == 0) return;
          Labels with = common;
          with.push_back({"code", std::move(code)});
          add_counter(requests, std::move(with), count);
        };
        add_code("200", series->ok.sum(0));
        for (std::size_t slot = 0; slot < series->other_codes.size(); ++slot) {
          add_code(code_label(slot), series->other_codes[slot].load(std::memory_order_relaxed));
        }
        add_histogram(duration, common, series->duration);
        add_histogram(first_token, common, series->first_token);
        add_histogram(per_token, common, series->per_token);
      }
    }
  }
}

void RouteFamilies::add_spend(const RouteCounters& route) {
  for (std::size_t variant = 0; variant < kVariants; ++variant) {
    if (const std::uint64_t count = route.broken(variant); count != 0) {
      add_counter(broken,
                  labels({{"route", route.name()},
                          {"variant", label(static_cast<routing::Variant>(variant))},
                          {"leg", label(Leg::served)}}),
                  count);
    }
    for (std::size_t leg = 0; leg < kLegs; ++leg) {
      const SpendSeries& spend = route.spend(variant, leg);
      const Labels common = labels({{"route", route.name()},
                                    {"variant", label(static_cast<routing::Variant>(variant))},
                                    {"leg", label(static_cast<Leg>(leg))}});
      for (std::size_t type = 0; type < kTokenTypes.size(); ++type) {
        const std::uint64_t count = spend.tokens[type].load(std::memory_order_relaxed);
        if (count == 0) continue;
        Labels with = common;
        with.push_back({"type", std::string{kTokenTypes[type]}});
        add_counter(tokens, std::move(with), count);
      }
      const std::uint64_t missing = spend.usage_missing.load(std::memory_order_relaxed);
      if (missing != 0) add_counter(usage_missing, common, missing);
      const double cost_usd = spend.cost_usd.load(std::memory_order_relaxed);
      if (cost_usd > 0.0) add_counter(cost, common, cost_usd);
    }
  }
}

void RouteFamilies::add_stand_ins(const RouteCounters& route) {
  const auto add_one = [&](MetricFamily& to, std::string_view name, std::string_view value,
                           std::uint64_t count) {
    if (count != 0) add_counter(to, labels({{"route", route.name()}, {name, value}}), count);
  };
  for (std::size_t i = 0; i < kFallbackReasons; ++i) {
    const auto reason = static_cast<FallbackReason>(i);
    add_one(fallbacks, "reason", label(reason), route.fallbacks(reason));
  }
  for (std::size_t i = 0; i < kModelGoneKinds; ++i) {
    const auto kind = static_cast<ModelGone>(i);
    add_one(takeovers, "kind", label(kind), route.takeovers(kind));
  }
  const auto presets = routing::presets();
  for (std::size_t i = 0; i < presets.size(); ++i)
    add_one(rewrites, "preset", presets[i].name, route.rewrites(i));
}

void RouteFamilies::add_ends(MetricFamily& to, const std::string& route, const PairSeries& pairs) {
  add_counter(to, labels({{"route", route}, {"result", "compared"}, {"reason", ""}}),
              pairs.compared());
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    const std::uint64_t count = pairs.drops(reason);
    if (count == 0) continue;
    add_counter(to, labels({{"route", route}, {"result", "dropped"}, {"reason", label(reason)}}),
                count);
  }
  for (std::size_t i = 0; i < kFailReasons; ++i) {
    const auto reason = static_cast<FailReason>(i);
    const std::uint64_t count = pairs.fails(reason);
    if (count == 0) continue;
    add_counter(to, labels({{"route", route}, {"result", "failed"}, {"reason", label(reason)}}),
                count);
  }
}

void RouteFamilies::move_to(std::vector<MetricFamily>& all) {
  for (MetricFamily* each : {&requests, &duration, &first_token, &per_token, &tokens, &broken,
                             &usage_missing, &cost, &eligible, &shadow, &control, &divergence,
                             &comparisons, &fallbacks, &takeovers, &rewrites}) {
    all.push_back(std::move(*each));
  }
}

class PrometheusRecorder final : public Recorder, public prometheus::Collectable {
 public:
  RouteMeter& route(std::string_view name) override {
    const std::lock_guard lock{mutex_};
    auto& slot = routes_[std::string{name}];
    if (!slot) slot = std::make_unique<RouteCounters>(name);
    return *slot;
  }

  void config_applied(const routing::Config& config) override {
    std::vector<RouteShares> shares;
    shares.reserve(config.routes.size());
    for (const routing::RouteConfig& route : config.routes) {
      shares.push_back({route.name, percent(route.shadow.percent)});
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
    if (result == ReloadResult::refused) return;
    last_reload_.store(
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(),
        std::memory_order_relaxed);
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
  void records_dropped() noexcept override { records_.add(1); }
  void records_written() noexcept override { records_.add(0); }
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
  std::atomic<double> last_reload_{0.0};
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
  const double last = last_reload_.load(std::memory_order_relaxed);
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
  gauge("shadow_queue", "Copies admitted and waiting.",
        static_cast<double>(shadow_queued_.load(std::memory_order_relaxed)));
  gauge("shadow_in_flight", "Copies under way.",
        static_cast<double>(shadow_in_flight_.load(std::memory_order_relaxed)));
  gauge("shadow_bytes", "Bytes of bodies and answers held for copies.",
        static_cast<double>(shadow_bytes_.load(std::memory_order_relaxed)));
  MetricFamily& refused =
      all.emplace_back(family("refused_total", MetricType::Counter,
                              "Requests and connections refused before they had a route."));
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
