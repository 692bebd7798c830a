#include "proxy/fleet_watch.h"

#include <algorithm>
#include <utility>

#include "metrics/evidence/alarms_json.h"
#include "metrics/quantile_gates.h"
#include "proxy/fleet_exposition.h"
#include "proxy/log.h"
#include "proxy/rollout_files.h"

namespace understudy::proxy {

using routing::Moment;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

std::optional<Moment> moment_of(double unix_seconds) {
  constexpr double kLast = 4e9;
  if (unix_seconds <= 0.0 || unix_seconds > kLast) return std::nullopt;
  return Moment(milliseconds(static_cast<std::int64_t>(unix_seconds * 1000.0 + 0.5)));
}

// Figures that were being read when the clock ran out are not fresh for ever.
milliseconds freshness(const routing::EvidenceConfig& config) {
  return 3 * config.interval + 2 * config.timeout;
}

// The last multiple of the interval but one.
PrometheusTime settled(Moment now, milliseconds interval) {
  const auto since_epoch =
      std::chrono::floor<milliseconds>(now).time_since_epoch() / interval * interval;
  return PrometheusTime{since_epoch - interval};
}

std::string identity_in(const Snapshot& snapshot, std::size_t route) {
  const routing::Config& config = snapshot.config();
  return fleet_identity(snapshot.experiments[route],
                        identity_of(config, config.routes[route]).canary);
}

// Empty where there is no such route.
std::string identity_in(const Snapshot& snapshot, std::string_view name) {
  const auto& routes = snapshot.config().routes;
  const auto found = std::ranges::find(routes, name, &routing::RouteConfig::name);
  return found == routes.end()
             ? std::string{}
             : identity_in(snapshot, static_cast<std::size_t>(found - routes.begin()));
}

}  // namespace

FleetWatch::FleetWatch(Sources sources, std::string replica, Options options)
    : sources_(std::move(sources)),
      replica_(std::move(replica)),
      files_(std::move(options.state_directory), options.state),
      thread_("fleet", options.look_every, [this] { look(); }) {}

void FleetWatch::look() {
  const auto snapshot = sources_.snapshot();
  const routing::EvidenceConfig& config = snapshot->config().evidence;
  const auto now = steady_clock::now();
  if (!config.prometheus || (read_ && now - *read_ < config.interval)) return;
  read_ = now;
  read_all(snapshot);
}

void FleetWatch::read_all(const std::shared_ptr<const Snapshot>& snapshot) {
  const routing::Config& config = snapshot->config();
  std::string query = "{__name__=~\"";
  query.append(fleet_metric::kStage).append("|").append(fleet_metric::kStageSince).append("|");
  query.append(fleet_metric::kRolledBack).append("|").append(fleet_metric::kObjections).append("|");
  query.append(fleet_metric::kPaused).append("|").append(fleet_metric::kResumed);
  query.append("\",fleet=\"").append(config.evidence.fleet).append("\"}");
  const auto states = sources_.ask(config.evidence, query, std::nullopt);
  std::string problem = states ? "" : states.error().context;
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    if (!config.routes[i].candidate || thread_.stopping()) continue;
    const std::string& name = config.routes[i].name;
    FleetReading reading;
    if (const auto before = this->reading(name)) reading = *before;
    reading.identity = identity_in(*snapshot, i);
    reading.fresh = false;
    reading.rollout.reset();
    Status read = states ? Status{} : Status{states.error()};
    if (states) read = read_route(*snapshot, i, *states, reading);
    reading.fresh = static_cast<bool>(read);
    reading.problem = read ? "" : read.error().context;
    if (problem.empty()) problem = reading.problem;
    publish(name, std::move(reading));
    count(read);  // whoever sees the count finds what was read
  }
  tell(problem);
}

void FleetWatch::count(const Status& read) noexcept {
  auto& counter = read                                          ? good_
                  : read.error().kind == ErrorKind::bad_message ? damaged_
                  : read.error().side == Side::internal         ? behind_
                                                                : away_;
  counter.fetch_add(1, std::memory_order_relaxed);
}

void FleetWatch::tell(const std::string& problem) {
  if (problem.empty() == told_problem_.empty()) return;
  if (problem.empty()) {
    log_info("fleet_is_read");
  } else {
    log_warn("fleet_is_not_read", {{"what", problem}, {"follows", "rollouts hold"}});
  }
  told_problem_ = problem;
}

// --- Where the others stand

FleetWatch::Others FleetWatch::others_of(const InstantVector& states, std::string_view route,
                                         std::string_view experiment, std::string_view canary) {
  Others others;
  for (const VectorSample& sample : states) {
    if (sample.label("route") != route || sample.label("experiment") != experiment) continue;
    const std::string_view name = sample.label("__name__");
    const std::string replica{sample.label("replica")};
    if (name == fleet_metric::kObjections) {
      auto& of_kind =
          sample.label("kind") == fleet_metric::kAlarms ? others.alarms : others.coverage;
      of_kind[replica] = std::max(of_kind[replica], sample.count().value_or(0));
      continue;
    }
    if (sample.label("canary") != canary) continue;
    Standing& standing = others.standings[replica];
    if (name == fleet_metric::kRolledBack) {
      standing.rolled_back = std::max(standing.rolled_back, moment_of(sample.value));
    } else if (name == fleet_metric::kStage) {
      standing.stage =
          std::max(standing.stage, static_cast<std::size_t>(sample.count().value_or(0)));
    } else if (name == fleet_metric::kStageSince) {
      standing.stage_since = std::max(standing.stage_since, moment_of(sample.value));
    } else if (name == fleet_metric::kPaused) {
      standing.paused = std::max(standing.paused, moment_of(sample.value));
    } else if (name == fleet_metric::kResumed) {
      standing.resumed = std::max(standing.resumed, moment_of(sample.value));
    }
  }
  return others;
}

namespace {

std::uint64_t sum_of(const std::map<std::string, std::uint64_t>& by_replica) {
  std::uint64_t sum = 0;
  for (const auto& [replica, count] : by_replica) sum += std::min<std::uint64_t>(count, 1u << 20);
  return sum;
}

}  // namespace

// What the others do; this replica knows itself.
routing::RolloutFleet FleetWatch::rollout_of(const Others& others) const {
  routing::RolloutFleet fleet;
  for (const auto& [replica, standing] : others.standings) {
    if (replica == replica_) continue;
    fleet.rolled_back = std::max(fleet.rolled_back, standing.rolled_back);
    fleet.paused = std::max(fleet.paused, standing.paused);
    fleet.resumed = std::max(fleet.resumed, standing.resumed);
    if (!standing.stage_since || standing.stage < fleet.stage) continue;
    const bool first = standing.stage > fleet.stage;
    fleet.stage_since =
        first ? *standing.stage_since : std::min(fleet.stage_since, *standing.stage_since);
    fleet.stage = standing.stage;
  }
  return fleet;
}

Status FleetWatch::read_route(const Snapshot& snapshot, std::size_t index,
                              const InstantVector& states, FleetReading& reading) {
  const routing::RouteConfig& route = snapshot.config().routes[index];
  const Others others = others_of(states, route.name, snapshot.experiments[index],
                                  identity_of(snapshot.config(), route).canary);
  reading.replicas = others.alarms.size();
  reading.alarms = sum_of(others.alarms);
  reading.badly_covered = static_cast<std::size_t>(sum_of(others.coverage));
  reading.rollout = rollout_of(others);
  // Sums without what is seen here would be another fleet's.
  if (!others.standings.contains(replica_) || !others.alarms.contains(replica_)) {
    return Error{ErrorKind::cancelled, Side::internal,
                 "Prometheus does not show this replica: it scrapes /metrics not yet, or not here"};
  }
  return read_sums(snapshot, index, reading);
}

// --- The evidence

FleetWatch::Memory FleetWatch::begin(const FleetHistory::Of& of,
                                     const routing::VerdictConfig& rules) {
  const AskPrometheus ask = [this](const auto& config, auto query,
                                   auto when) -> Result<InstantVector> {
    if (thread_.stopping()) return Error{ErrorKind::cancelled, Side::internal, "it is to end"};
    return sources_.ask(config, query, when);
  };
  return {.history = FleetHistory(of, ask), .watch = metrics::AlarmWatch(rules)};
}

FleetWatch::Memory& FleetWatch::memory(const Snapshot& snapshot, std::size_t index) {
  const routing::RouteConfig& route = snapshot.config().routes[index];
  const FleetHistory::Of of{route.name, snapshot.experiments[index], snapshot.config().evidence};
  auto known = memories_.find(route.name);
  if (known == memories_.end() || !(known->second.history.of() == of)) {
    Memory anew = begin(of, route.verdict);
    if (known != memories_.end() && known->second.history.of().experiment == of.experiment) {
      anew.evidence = std::move(known->second.evidence);
      anew.saved_alarms = std::move(known->second.saved_alarms);
    } else {
      load_alarms(of, anew);
    }
    if (known != memories_.end()) memories_.erase(known);
    known = memories_.emplace(route.name, std::move(anew)).first;
  }
  if (!(known->second.watch.rules() == route.verdict))
    known->second.watch = metrics::AlarmWatch(route.verdict);
  return known->second;
}

void FleetWatch::load_alarms(const FleetHistory::Of& of, Memory& into) {
  auto loaded = files_.load_fleet_alarms(of.route, of.experiment);
  if (!loaded.problem.empty()) log_warn("fleet_alarms_not_loaded", {{"what", loaded.problem}});
  if (!loaded.alarms) return;
  into.saved_alarms = metrics::alarms_to_json_text(*loaded.alarms);
  into.evidence = std::make_shared<const metrics::RouteEvidence>(std::move(*loaded.alarms));
}

// Only what is new: they change a few times in the life of an experiment.
void FleetWatch::save_alarms(Memory& memory) {
  if (!metrics::any_alarm(*memory.evidence)) return;
  std::string alarms = metrics::alarms_to_json_text(*memory.evidence);
  if (alarms == memory.saved_alarms) return;
  const std::string& route = memory.history.of().route;
  if (const std::string problem = files_.save_fleet_alarms(route, alarms); !problem.empty()) {
    log_warn("fleet_alarms_not_saved", {{"route", route}, {"what", problem}});
    return;  // tried again with the next reading
  }
  memory.saved_alarms = std::move(alarms);
}

namespace {

// The stage that this replica is in, as the evidence names it, since the first was in it.
struct FleetStage {
  std::optional<metrics::Stage> stage;
  PrometheusTime since{};
};

FleetStage stage_of(const std::optional<RolloutView>& rollout, const routing::RolloutFleet& fleet) {
  if (!rollout || !is_in_stage(*rollout)) return {};
  Moment since = rollout->state.stage_since;
  if (fleet.stage == rollout->state.stage) since = std::min(since, fleet.stage_since);
  return {.stage = metrics::Stage{.name = stage_name(*rollout),
                                  .ordinal = static_cast<std::int64_t>(rollout->state.stage),
                                  .since = std::chrono::floor<std::chrono::seconds>(since)},
          .since = std::chrono::floor<milliseconds>(since)};
}

}  // namespace

Status FleetWatch::read_sums(const Snapshot& snapshot, std::size_t index, FleetReading& reading) {
  const routing::RouteConfig& route = snapshot.config().routes[index];
  Memory& of_route = memory(snapshot, index);
  const FleetStage stage = stage_of(sources_.rollouts(route.name), *reading.rollout);
  const auto sums = of_route.history.sums(
      settled(sources_.now(), snapshot.config().evidence.interval), stage.stage, stage.since);
  if (!sums) return sums.error();
  reading.at = sums->at;
  reading.gone = of_route.history.gone();
  const std::uint64_t before = std::min(sums->at_stage.all.pairs, sums->now.all.pairs);
  reading.stage = stage.stage ? static_cast<std::size_t>(stage.stage->ordinal) : 0;
  reading.stage_pairs = stage.stage ? sums->now.all.pairs - before : 0;
  judge(of_route, metrics::fleet_evidence(*sums));
  reading.evidence = of_route.evidence;
  return {};
}

// What alarmed once may be trusted at its largest, also when the sums say less now.
void FleetWatch::judge(Memory& memory, metrics::RouteEvidence evidence) {
  if (memory.evidence) evidence.latch_as(*memory.evidence);
  memory.watch.look(evidence);
  memory.watch.latch(evidence);
  metrics::latch_quantiles(evidence, memory.watch.rules());
  memory.evidence = std::make_shared<const metrics::RouteEvidence>(std::move(evidence));
  save_alarms(memory);
}

// --- What is told

void FleetWatch::publish(std::string_view route, FleetReading reading) {
  auto made = std::make_shared<const FleetReading>(std::move(reading));
  const std::lock_guard lock(mutex_);
  published_.insert_or_assign(std::string(route), Published{std::move(made), steady_clock::now()});
}

std::shared_ptr<const FleetReading> FleetWatch::reading(std::string_view route) const {
  const auto snapshot = sources_.snapshot();
  const routing::EvidenceConfig& config = snapshot->config().evidence;
  if (!config.prometheus) return nullptr;
  const std::string identity = identity_in(*snapshot, route);
  const std::lock_guard lock(mutex_);
  const auto found = published_.find(route);
  if (found == published_.end() || found->second.reading->identity != identity)
    return std::make_shared<const FleetReading>();
  if (steady_clock::now() - found->second.when <= freshness(config)) return found->second.reading;
  FleetReading old = *found->second.reading;
  old.fresh = false;
  old.problem = "reading them takes longer than it may";
  old.rollout.reset();
  return std::make_shared<const FleetReading>(std::move(old));
}

std::string FleetWatch::exposition() const {
  std::string text =
      "# HELP understudy_fleet_readings_total Readings of a route's fleet, by result.\n"
      "# TYPE understudy_fleet_readings_total counter\n";
  const auto count_line = [&](std::string_view result, const std::atomic<std::uint64_t>& count) {
    text.append("understudy_fleet_readings_total{result=\"").append(result).append("\"} ");
    text.append(std::to_string(count.load(std::memory_order_relaxed))).append("\n");
  };
  count_line("ok", good_);
  count_line("away", away_);
  count_line("damaged", damaged_);
  count_line("behind", behind_);
  std::string fresh =
      "# HELP understudy_fleet_fresh Whether the fleet's figures are known; else rollouts hold.\n"
      "# TYPE understudy_fleet_fresh gauge\n";
  std::string replicas =
      "# HELP understudy_fleet_replicas Replicas that Prometheus sees.\n"
      "# TYPE understudy_fleet_replicas gauge\n";
  std::string gone =
      "# HELP understudy_fleet_gone_replicas Replicas that are gone and still count.\n"
      "# TYPE understudy_fleet_gone_replicas gauge\n";
  const auto snapshot = sources_.snapshot();
  for (const routing::RouteConfig& route : snapshot->config().routes) {
    const auto now = route.candidate ? reading(route.name) : nullptr;
    if (!now) continue;
    const std::string label = "{route=\"" + route.name + "\"} ";
    fresh += "understudy_fleet_fresh" + label + (now->fresh ? "1\n" : "0\n");
    replicas += "understudy_fleet_replicas" + label + std::to_string(now->replicas) + "\n";
    gone += "understudy_fleet_gone_replicas" + label + std::to_string(now->gone) + "\n";
  }
  return text + fresh + replicas + gone;
}

}  // namespace understudy::proxy
