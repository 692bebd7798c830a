#pragma once
// Everything that is counted. Handles are resolved when a config is loaded and cost no look-up, no
// allocation and no formatting afterwards. All record functions may be called from any thread; none
// throws. The Recorder outlives its handles' users; a route keeps its series through reloads.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/comparison.h"
#include "metrics/observation.h"
#include "metrics/served_outcome.h"
#include "metrics/shadow_outcome.h"
#include "routing/body_model.h"
#include "routing/config.h"

namespace understudy::metrics {

// A route's books at one moment (for /api/routes and tests).
struct RouteCounts {
  std::uint64_t eligible = 0;
  std::uint64_t compared = 0;
  std::map<std::string, std::uint64_t> failed, skipped, dropped;
  // Beside the books: exchanges that the primary answered in the candidate's place.
  std::map<std::string, std::uint64_t> fallbacks{};
};

struct SignalCounts {
  std::uint64_t pairs = 0;  // in which the signal applied
  std::uint64_t divergent = 0;
  std::uint64_t served_bad = 0;
  std::uint64_t other_bad = 0;
  double value_sum = 0.0;
};

class RouteMeter {
 public:
  virtual ~RouteMeter() = default;

  // One finished attempt: requests_total and request_duration_seconds. `status` 0 is the label
  // "none".
  virtual void request(routing::Operation operation, routing::Variant variant, Leg leg, int status,
                       std::chrono::nanoseconds total) noexcept = 0;
  // What was read from its answer: tokens, cost, first token, time per token; or that usage is
  // missing.
  virtual void answer(const Observation& observation) noexcept = 0;
  // An answer that nobody had room to read: its usage counts as missing.
  virtual void unread_answer(routing::Variant variant, Leg leg) noexcept = 0;
  // A served answer that began as a success and failed later: cut by the upstream, or with an error
  // in its stream.
  virtual void broken_answer(routing::Variant variant) noexcept = 0;

  // The primary answers what the candidate could not, or the candidate what the primary cannot any
  // more.
  virtual void fell_back(FallbackReason reason) noexcept = 0;
  virtual void took_over(ModelGone kind) noexcept = 0;
  // A preset of routing/compatibility.h changed a served request or a copy.
  virtual void rewrote(std::string_view preset) noexcept = 0;

  // The books. eligible() once per eligible exchange, and exactly one of the others.
  virtual void eligible() noexcept = 0;
  virtual void skipped(routing::SkipReason reason) noexcept = 0;
  virtual void dropped(DropReason reason) noexcept = 0;
  virtual void failed(FailReason reason) noexcept = 0;
  virtual void compared(const Comparison& comparison) noexcept = 0;  // also divergence_total,
                                                                     // comparisons_total{outcome}
  // Control legs keep books of their own: control_total{result, reason}.
  virtual void control_dropped(DropReason reason) noexcept = 0;
  virtual void control_failed(FailReason reason) noexcept = 0;
  virtual void control_compared(const Comparison& comparison) noexcept = 0;

  virtual RouteCounts counts() const = 0;
  virtual std::map<Signal, SignalCounts> signals() const = 0;  // of the shadow legs
  virtual std::map<Signal, SignalCounts> control_signals()
      const = 0;  // of the control legs: the noise
};

// What is counted for the process as a whole.
enum class ReloadResult : std::uint8_t { applied, unchanged, refused };
enum class Phase : std::uint8_t { decide, sign, rewrite };  // of proxy_overhead_seconds

struct CertificateExpiry {
  std::string listener;  // its address in the config
  std::string file;      // its name in the config, without a directory
  std::chrono::system_clock::time_point expires;
};

class Recorder {
 public:
  virtual ~Recorder() = default;

  // The meter of that route; made at the first call of a name. Call when a config is loaded, not
  // per request. Routes are bounded by the config; the name "default" is the default route's,
  // "none" that of unrouted requests.
  virtual RouteMeter& route(std::string_view name) = 0;
  // Gauges that follow the config: shadow_percent, canary_percent, config_info. Routes that are
  // gone lose theirs.
  virtual void config_applied(const routing::Config& config) = 0;
  virtual void reload(ReloadResult result) noexcept = 0;

  virtual void overhead(Phase phase, std::chrono::nanoseconds spent) noexcept = 0;
  virtual void connection_opened() noexcept = 0;
  virtual void connection_closed() noexcept = 0;
  // One end of a TLS handshake with a client: "full", "resumed", "timeout" or why it failed.
  virtual void tls_handshake(std::string_view result) noexcept = 0;
  // When the listeners' certificates expire; replaces what was told before.
  virtual void certificates(std::vector<CertificateExpiry> all) = 0;
  // A request turned away before it had a route, or a limit that was met; `limit` is the config
  // key's last part ("max_header_bytes") or a rule's name.
  virtual void refused(std::string_view limit) noexcept = 0;
  // A body that should name its model does not, so that the request went the default way.
  virtual void model_unread(routing::BodyModelProblem problem) noexcept = 0;
  // Bytes of request bodies held for the requests under way.
  virtual void request_bodies(std::size_t bytes) noexcept = 0;
  virtual void records_dropped() noexcept = 0;
  virtual void records_written() noexcept = 0;
  // Bytes of records that wait for their disk: so many more, or fewer.
  virtual void records_queued(std::int64_t more_bytes) noexcept = 0;
  // Work for the copies that is waiting or under way, and the bytes it holds.
  virtual void shadow_load(std::size_t queued, std::size_t in_flight,
                           std::size_t bytes) noexcept = 0;

  // Tries to fetch an upstream's credentials, and when those that it has end (none: they last, or
  // there are none). `result` is "ok" or the kind of the error. Upstreams are bounded by the
  // config.
  virtual void credentials_refreshed(std::string_view upstream,
                                     std::string_view result) noexcept = 0;
  virtual void credentials_expire(
      std::string_view upstream,
      std::optional<std::chrono::system_clock::time_point> when) noexcept = 0;

  virtual std::string render() const = 0;  // the Prometheus text exposition
};

std::unique_ptr<Recorder> make_prometheus_recorder();

}  // namespace understudy::metrics
