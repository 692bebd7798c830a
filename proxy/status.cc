#include "proxy/status.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "proxy/credential_report.h"
#include "proxy/evidence_book.h"
#include "proxy/exposition.h"
#include "proxy/keep_warm.h"
#include "proxy/lifecycle_report.h"
#include "proxy/route_status.h"
#include "proxy/version.h"
#include "routing/day.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;

// Error texts may quote bytes of a file: what is no UTF-8 must not throw.
std::string dumped(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

json describe_outcome(const ReloadOutcome& outcome) {
  return {{"result", label(outcome.result)},
          {"problems", json(outcome.problems)},
          {"changes", json(outcome.changes)}};
}

json describe_last_reload(const std::optional<Reloader::Last>& last) {
  if (!last) return nullptr;
  json described = describe_outcome(last->outcome);
  described["source"] = label(last->source);
  described["unix_seconds"] =
      std::chrono::duration_cast<std::chrono::seconds>(last->at.time_since_epoch()).count();
  return described;
}

json describe_load(const Server::Load& load) {
  return {{"connections", load.connections},
          {"shadow_queued", load.shadow_queued},
          {"shadow_in_flight", load.shadow_in_flight},
          {"analysis_queued", load.analysis_queued}};
}

json describe_credentials(const CredentialReport& report) {
  const auto seconds = [](const std::optional<WallTime>& moment) {
    return moment ? json(std::chrono::duration_cast<std::chrono::seconds>(
                             *moment - std::chrono::system_clock::now())
                             .count())
                  : json();
  };
  const aws::CredentialStatus& status = report.status;
  const auto fetched = seconds(status.fetched);
  return {{"source", report.source},
          {"state", label(status.state)},
          {"usable", report.usable},
          {"expires_in_seconds", seconds(status.expires)},
          {"fetched_seconds_ago", fetched.is_null() ? json() : json(-fetched.get<std::int64_t>())},
          {"refreshes", status.refreshes},
          {"failures", status.failures},
          {"last_error", status.problem.empty() ? json() : json(status.problem)}};
}

json describe_upstreams(const Snapshot& snapshot) {
  json upstreams = json::array();
  for (const CredentialReport& report : report_credentials(snapshot)) {
    upstreams.push_back({{"name", report.upstream}, {"credentials", describe_credentials(report)}});
  }
  return upstreams;
}

json describe_way_back(const RollbackReadiness& readiness) {
  const auto age = readiness.last_success_age;
  return {{"ready", readiness.ready},
          {"reason", readiness.reason.empty() ? json() : json(readiness.reason)},
          {"last_success_seconds_ago", age ? json(age->count()) : json()}};
}

// A help for people, in no metric: only where the config lets such text be kept.
void add_lines(json& families, const FamilyLinesSource& source, std::string_view route) {
  const auto lines = source ? source(route) : nullptr;
  for (json& family : families) {
    family["line"] = nullptr;
    if (!lines) continue;
    const auto found = lines->find(family["family"].get<std::string>());
    if (found != lines->end()) family["line"] = found->second;
  }
}

json describe_one(const Snapshot& snapshot, std::size_t route, const std::vector<Sample>& samples,
                  const RouteSources& sources) {
  const routing::Config& config = snapshot.config();
  const std::string& name = config.routes[route].name;
  const auto of_route = sources.evidence(name);
  const auto fleet = sources.fleet ? sources.fleet(name) : nullptr;
  json described = describe_route(config, config.routes[route], *snapshot.meters.at(route), samples,
                                  of_route, fleet.get());
  if (keeps_text(config)) add_lines(described["coverage"]["families"], sources.family_lines, name);
  described["canary_percent"] = snapshot.routes.served_share(route).value();
  const auto rollout = sources.rollouts(name);
  described["rollout"] =
      rollout ? describe_rollout(*rollout, std::chrono::system_clock::now()) : json();
  if (config.routes[route].candidate)
    described["shadow_use"] = describe_shadow_use(
        config.routes[route].shadow, sources.shadow(name).get(), std::chrono::steady_clock::now());
  described["volume"] = describe_volume(
      config.routes[route], sources.volumes(name),
      sources.quotas ? sources.quotas(config, config.routes[route]) : QuotaReading{});
  described["way_back"] = describe_way_back(
      rollback_readiness(config.routes[route], sources.models, std::chrono::system_clock::now()));
  return described;
}

json describe_routes(const Snapshot& snapshot, const std::vector<Sample>& samples,
                     const RouteSources& sources) {
  json routes = json::array();
  for (std::size_t i = 0; i < snapshot.config().routes.size(); ++i)
    routes.push_back(describe_one(snapshot, i, samples, sources));
  return routes;
}

json describe_lifecycle(const Snapshot& snapshot, const ProcessStatus& process) {
  if (!process.lifecycles) return nullptr;
  const auto day = routing::today();
  return describe_models(report_models(snapshot.config(), *process.lifecycles, process.models, day),
                         *process.lifecycles, day);
}

json describe_default_route(const routing::Config& config, const std::vector<Sample>& samples) {
  if (!config.default_upstream) return nullptr;
  return {{"upstream", config.upstreams.at(*config.default_upstream).name},
          {"measured", describe_measurements("default", samples)}};
}

}  // namespace

std::string status_json(const Snapshot& snapshot, const ProcessStatus& process,
                        std::string_view exposition, const RouteSources& sources) {
  const auto samples = parse_exposition(exposition);
  const routing::Config& config = snapshot.config();
  return dumped({
      {"version", kVersion},
      {"ready", process.ready},
      {"draining", process.draining},
      {"uptime_seconds", process.uptime.count()},
      {"config",
       {{"hash", config.hash}, {"last_reload", describe_last_reload(process.last_reload)}}},
      {"prices_as_of", snapshot.prices ? json(snapshot.prices->as_of()) : json()},
      {"load", describe_load(process.load)},
      {"default_route", describe_default_route(config, samples)},
      {"upstreams", describe_upstreams(snapshot)},
      {"lifecycle", describe_lifecycle(snapshot, process)},
      {"routes", describe_routes(snapshot, samples, sources)},
  });
}

std::string routes_json(const Snapshot& snapshot, std::string_view exposition,
                        const RouteSources& sources) {
  return dumped({{"routes", describe_routes(snapshot, parse_exposition(exposition), sources)}});
}

std::optional<std::string> route_json(const Snapshot& snapshot, std::string_view name,
                                      std::string_view exposition, const RouteSources& sources) {
  const routing::Config& config = snapshot.config();
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    if (config.routes[i].name == name) {
      return dumped(describe_one(snapshot, i, parse_exposition(exposition), sources));
    }
  }
  return std::nullopt;
}

std::string lifecycle_json(const Snapshot& snapshot, const ProcessStatus& process) {
  return dumped(describe_lifecycle(snapshot, process));
}

std::string reload_json(const ReloadOutcome& outcome) {
  return dumped(describe_outcome(outcome));
}

std::string config_json(const Snapshot& snapshot, const ProcessStatus& process) {
  const routing::Config& config = snapshot.config();
  json settings = json::array();
  for (const routing::Setting& setting : config.settings) {
    json shown = {{"key", setting.key}};
    if (setting.hidden) {
      shown["hidden"] = true;
      shown["set"] = !setting.value.empty();
    } else {
      shown["value"] = setting.value;
      shown["default"] = setting.fallback;
    }
    settings.push_back(std::move(shown));
  }
  return dumped({{"hash", config.hash},
                 {"last_reload", describe_last_reload(process.last_reload)},
                 {"settings", std::move(settings)}});
}

std::string error_json(std::string_view what) {
  return dumped({{"error", what}});
}

}  // namespace understudy::proxy
