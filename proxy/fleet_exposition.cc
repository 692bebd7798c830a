#include "proxy/fleet_exposition.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "metrics/evidence/fleet_counts.h"

namespace understudy::proxy {
namespace {

using metrics::RouteEvidence;
using routing::RolloutPhase;

// One family of the page: all of its series stand together.
class MetricText {
 public:
  MetricText(std::string_view name, std::string_view type, std::string_view help) : name_(name) {
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  void add(std::string_view labels, std::string_view value) {
    text_.append(name_).append("{").append(labels).append("} ").append(value).append("\n");
  }
  void add(std::string_view labels, std::uint64_t value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
    add(labels, std::string_view(digits.begin(), end));
  }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string_view name_;
  std::string text_;
};

struct FleetText {
  MetricText evidence{fleet_metric::kEvidence, "counter",
                      "Evidence of the route as counts that add up over a fleet."};
  MetricText hours{fleet_metric::kHours, "gauge", "Hours of the clock in which pairs came."};
  MetricText objections{fleet_metric::kObjections, "gauge",
                        "What only this proxy knows against the candidate, or against judging it."};
  MetricText stage{fleet_metric::kStage, "gauge",
                   "Stage of the rollout, from 1; 0: none yet, or rolled back."};
  MetricText stage_since{fleet_metric::kStageSince, "gauge", "When that stage began."};
  MetricText rolled_back{fleet_metric::kRolledBack, "gauge",
                         "When the route was rolled back; 0: it is not."};
  MetricText paused{fleet_metric::kPaused, "gauge", "When the rollout was paused; 0: it is not."};
  MetricText resumed{fleet_metric::kResumed, "gauge",
                     "When a pause of the rollout was last ended; 0: never."};

  std::string text() const {
    return evidence.text() + hours.text() + objections.text() + stage.text() + stage_since.text() +
           rolled_back.text() + paused.text() + resumed.text();
  }
};

void append_label(std::string& labels, std::string_view name, std::string_view value) {
  if (!labels.empty()) labels += ',';
  labels.append(name).append("=\"").append(value).append("\"");
}

std::string seconds_text(routing::Moment moment) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(moment).time_since_epoch().count();
  std::string fraction = std::to_string(1000 + ms % 1000);
  fraction[0] = '.';
  return std::to_string(ms / 1000) + fraction;
}

// Alarms of families that the others do not know.
std::uint64_t unshared_alarms(const RouteEvidence& evidence, std::size_t max_families,
                              const routing::VerdictConfig& rules) {
  const auto& shared = evidence.shared();
  const auto end = shared.begin() + static_cast<long>(std::min(max_families, shared.size()));
  std::uint64_t alarms = 0;
  for (const auto& [name, family] : evidence.families()) {
    if (std::find(shared.begin(), end, name) != end) continue;
    for (std::size_t gate = 0; gate < metrics::kGateCount; ++gate)
      alarms += rules.gates[gate] && family.alarmed.test(gate) ? 1 : 0;
  }
  return alarms;
}

void add_evidence(FleetText& to, const routing::EvidenceConfig& config, const std::string& labels,
                  const RouteEvidence& evidence) {
  std::string of_life = labels;
  const auto begun = std::chrono::floor<std::chrono::seconds>(evidence.since());
  append_label(of_life, "begun", std::to_string(begun.time_since_epoch().count()));
  metrics::tell_cells(metrics::fleet_counts(evidence, config.max_families),
                      [&](std::string_view family, std::string_view signal, std::string_view cell,
                          std::uint64_t count) {
                        std::string of_cell = of_life;
                        append_label(of_cell, "family", family);
                        append_label(of_cell, "signal", signal);
                        append_label(of_cell, "cell", cell);
                        to.evidence.add(of_cell, count);
                      });
  to.hours.add(of_life, evidence.hours());
}

void add_objections(FleetText& to, const Snapshot& snapshot, std::size_t route,
                    const std::string& labels, const RouteEvidence* evidence) {
  const routing::Config& config = snapshot.config();
  const auto add = [&](std::string_view kind, std::uint64_t count) {
    std::string of_kind = labels;
    append_label(of_kind, "kind", kind);
    to.objections.add(of_kind, count);
  };
  add(fleet_metric::kAlarms, evidence ? unshared_alarms(*evidence, config.evidence.max_families,
                                                        config.routes[route].verdict)
                                      : 0);
  const metrics::CoverageFacts facts =
      coverage_of(config.routes[route], snapshot.meters[route]->counts(), evidence);
  const auto dropped = static_cast<double>(facts.copies.dropped);
  const double allowed =
      config.routes[route].verdict.max_dropped.fraction() * static_cast<double>(facts.copies.drawn);
  const bool saw_peak = !evidence || metrics::saw_peak(*evidence, config.routes[route].verdict);
  add(fleet_metric::kCoverage, dropped > allowed || !saw_peak ? 1 : 0);
}

// Labelled by what the state is of, not by the config in force: a reload brings that a moment
// before the rollout, and a rollback told of the new section would be one of the whole fleet.
void add_rollout(FleetText& to, std::string labels, const RolloutView& rollout) {
  append_label(labels, "experiment", rollout.identity.experiment);
  append_label(labels, "canary", rollout.identity.canary);
  const routing::RolloutState& state = rollout.state;
  if (!rollout.plan.stages.empty()) to.stage.add(labels, state.stage);
  if (state.stage > 0) to.stage_since.add(labels, seconds_text(state.stage_since));
  // What only could not be read is no rollback that others have to follow.
  const bool spreads = state.phase == RolloutPhase::rolled_back && state.reason != kStateUnreadable;
  to.rolled_back.add(labels, spreads ? seconds_text(state.since) : "0");
  if (rollout.plan.stages.empty()) return;
  const bool paused = state.phase == RolloutPhase::paused && state.paused != routing::Moment{};
  to.paused.add(labels, paused ? seconds_text(state.paused) : "0");
  const bool resumed = state.resumed != routing::Moment{};
  to.resumed.add(labels, resumed ? seconds_text(state.resumed) : "0");
}

}  // namespace

std::string fleet_exposition(const Snapshot& snapshot, std::string_view replica,
                             const EvidenceSource& evidence, const RolloutSource& rollouts) {
  FleetText text;
  const routing::Config& config = snapshot.config();
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const routing::RouteConfig& route = config.routes[i];
    if (!route.candidate) continue;
    std::string labels;
    append_label(labels, "fleet", config.evidence.fleet);
    append_label(labels, "route", route.name);
    append_label(labels, "replica", replica);
    if (config.evidence.exported) {
      std::string of_evidence = labels;
      append_label(of_evidence, "experiment", snapshot.experiments[i]);
      auto of_route = evidence(route.name);
      if (of_route && of_route->experiment() != snapshot.experiments[i]) of_route.reset();
      if (of_route) add_evidence(text, config.evidence, of_evidence, *of_route);
      add_objections(text, snapshot, i, of_evidence, of_route.get());
    }
    if (const auto rollout = rollouts(route.name)) add_rollout(text, labels, *rollout);
  }
  return text.text();
}

}  // namespace understudy::proxy
