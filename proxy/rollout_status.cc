#include "proxy/rollout_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "routing/config_values.h"
#include "routing/operation.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using routing::EvidenceSays;
using routing::Moment;
using routing::RolloutPhase;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::int64_t unix_seconds(Moment moment) {
  return std::chrono::floor<seconds>(moment).time_since_epoch().count();
}

json describe_stages(const routing::CanaryConfig& plan) {
  json stages = json::array();
  for (const routing::RolloutStage& stage : plan.stages) {
    stages.push_back({{"percent", stage.percent.value()},
                      {"min_time_seconds", std::chrono::duration<double>(stage.min_time).count()},
                      {"min_pairs", stage.min_pairs}});
  }
  return stages;
}

json describe_gates(const RolloutView& rollout) {
  json gates = json::array();
  for (const auto& [gate, check] : rollout.gates) {
    gates.push_back({{"gate", label(gate)},
                     {"state", label(check.state)},
                     {"failed_in_a_row", check.failed_in_a_row},
                     {"value", check.value ? json(*check.value) : json()},
                     {"text", check.text}});
  }
  return gates;
}

// What keeps the rollout from its next step, in plain words.
std::vector<std::string> waits_for(const RolloutView& rollout, Moment now) {
  const routing::RolloutState& state = rollout.state;
  if (state.phase == RolloutPhase::rolled_back || state.phase == RolloutPhase::paused)
    return {"a person: understudy resume"};
  if (rollout.plan.stages.empty() || state.phase == RolloutPhase::complete) return {};
  std::vector<std::string> waits;
  if (state.stage > 0) {
    const routing::RolloutStage& stage = rollout.plan.stages[state.stage - 1];
    const auto spent = std::chrono::floor<milliseconds>(now - state.stage_since);
    if (spent < stage.min_time) {
      waits.push_back("time: " + routing::duration_text(std::chrono::floor<seconds>(spent)) +
                      " of " + routing::duration_text(stage.min_time));
    }
    if (rollout.pairs < stage.min_pairs) {
      waits.push_back("pairs: " + std::to_string(rollout.pairs) + " of " +
                      std::to_string(stage.min_pairs));
    }
  }
  if (rollout.evidence != EvidenceSays::safe) waits.push_back("evidence: " + rollout.verdict_text);
  for (const RolloutHold& hold : rollout.holds) waits.push_back(hold.text);
  return waits;
}

json describe_next(const RolloutView& rollout, Moment now) {
  const auto& stages = rollout.plan.stages;
  const bool to_stage =
      rollout.state.stage < stages.size() && rollout.state.phase != RolloutPhase::complete;
  return {{"percent", to_stage ? json(stages[rollout.state.stage].percent.value()) : json()},
          {"waits_for", waits_for(rollout, now)}};
}

// The verdict, and behind an alarm the most telling one.
std::string text_of(const metrics::Verdict& verdict) {
  std::string text = verdict.text;
  const bool alarms =
      !verdict.reasons.empty() && verdict.reasons.front().state == metrics::GateState::alarm;
  if (alarms) text += " " + verdict.reasons.front().text;
  if (text.ends_with('.')) text.pop_back();
  return text;
}

void append_series(std::string& text, std::string_view name, std::string_view route,
                   std::string_view more, const std::string& value) {
  text.append(name).append("{route=\"").append(route).append("\"").append(more).append("} ");
  text.append(value).append("\n");
}

// Errors that no client makes: the model's, its quota's, the way's.
bool is_fault(std::string_view code) noexcept {
  return code.starts_with('5') || code == "429" || code == "424" || code == "408";
}

void append_drift(std::string& text, std::string_view route, const RolloutView& rollout) {
  if (!rollout.drift) return;
  for (const metrics::DriftFinding& found : rollout.drift->findings) {
    const std::string signal(metrics::drift_signal(found.signal));
    append_series(text, "understudy_rollout_drift", route, ",signal=\"" + signal + "\"",
                  rollout.drift->drifts(signal) ? "1" : "0");
  }
}

// Whether a series counts what the candidate may get, too. It gets none of what nobody understands,
// nor of both directions at once: held against other requests than its own it would fail, or pass,
// by them. A series without an operation is of understood ones only.
bool is_comparable(const Sample& sample) noexcept {
  const std::string_view operation = sample.label("operation");
  return std::ranges::none_of(routing::kOperations, [operation](routing::Operation one) {
    return label(one) == operation && !is_understood(one);
  });
}

void add(ServedFigures& figures, const Sample& sample) {
  const std::string& name = sample.name;
  if (name == "understudy_requests_total") {
    const std::string_view code = sample.label("code");
    figures.requests += sample.value;
    if (!code.starts_with('2')) figures.errors += sample.value;
    if (is_fault(code)) figures.faults += sample.value;
  } else if (name == "understudy_broken_answers_total") {
    figures.errors += sample.value;
    figures.faults += sample.value;
  } else if (name == "understudy_request_duration_seconds_sum") {
    figures.seconds += sample.value;
  } else if (name == "understudy_request_duration_seconds_count") {
    figures.timed += sample.value;
  } else if (name == "understudy_time_to_first_token_seconds_sum") {
    figures.first_token_seconds += sample.value;
  } else if (name == "understudy_time_to_first_token_seconds_count") {
    figures.first_tokens += sample.value;
  } else if (name == "understudy_cost_usd_total") {
    figures.cost_usd += sample.value;
  }
}

}  // namespace

nlohmann::json describe_rollout(const RolloutView& rollout, Moment now) {
  const routing::RolloutState& state = rollout.state;
  return {{"state", label(state.phase)},
          {"stage", state.stage},
          {"stages", describe_stages(rollout.plan)},
          {"percent", rollout.served.value()},
          {"since_unix_seconds", unix_seconds(state.since)},
          {"stage_since_unix_seconds", unix_seconds(state.stage_since)},
          {"pairs", rollout.pairs},
          {"next", describe_next(rollout, now)},
          {"gates", describe_gates(rollout)},
          {"cap", rollout.cap.empty() ? json() : json(rollout.cap)},
          {"drift", rollout.drift ? describe_drift(*rollout.drift) : json()},
          {"watch_over", state.watch_over},
          {"reason", state.reason.empty() ? json() : json(state.reason)},
          {"not_stored", rollout.storage_problem.empty() ? json() : json(rollout.storage_problem)}};
}

bool is_in_stage(const RolloutView& rollout) noexcept {
  return rollout.state.stage > 0 && rollout.state.stage <= rollout.plan.stages.size();
}

std::string stage_name(const RolloutView& rollout) {
  const std::size_t stage = rollout.state.stage;
  return "stage " + std::to_string(stage) + " (" +
         percent_text(rollout.plan.stages.at(stage - 1).percent) + " %)";
}

std::string order_json(std::string_view route, routing::RolloutOrder order,
                       const OrderAnswer& answer, const std::optional<RolloutView>& rollout) {
  json described = {{"route", route}, {"order", label(order)}, {"text", answer.text}};
  if (answer.result != OrderAnswer::Result::done) described["error"] = answer.text;
  if (rollout) described["rollout"] = describe_rollout(*rollout, std::chrono::system_clock::now());
  return described.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string rollout_exposition(const Snapshot& snapshot, const RolloutSource& rollouts,
                               const std::vector<RolloutKeeper::Rollbacks>& rollbacks) {
  std::string shares =
      "# HELP understudy_canary_percent Share of conversations served by the candidate, in force "
      "now.\n# TYPE understudy_canary_percent gauge\n";
  std::string drifts =
      "# HELP understudy_rollout_drift 1 where the candidate got worse than its rollout saw "
      "it.\n# TYPE understudy_rollout_drift gauge\n";
  const auto& routes = snapshot.config().routes;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    append_series(shares, "understudy_canary_percent", routes[i].name, "",
                  percent_text(snapshot.routes.served_share(i)));
    if (routes[i].canary.stages.empty()) continue;
    if (const auto rollout = rollouts(routes[i].name))
      append_drift(drifts, routes[i].name, *rollout);
  }
  std::string counts =
      "# HELP understudy_rollbacks_total Rollbacks, by what caused them.\n"
      "# TYPE understudy_rollbacks_total counter\n";
  for (const auto& one : rollbacks) {
    append_series(counts, "understudy_rollbacks_total", one.route, ",reason=\"" + one.reason + "\"",
                  std::to_string(one.count));
  }
  return shares + drifts + counts;
}

RouteLook look_at(const Snapshot& snapshot, std::string_view route, const EvidenceSource& evidence,
                  const std::vector<Sample>& samples, const FleetReading* fleet) {
  RouteLook look;
  const auto& routes = snapshot.config().routes;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (routes[i].name != route) continue;
    auto of_route = evidence(route);
    // Of a former candidate: says nothing about this one.
    if (of_route && of_route->experiment() != snapshot.experiments[i]) of_route.reset();
    const Judgement judged =
        judge_now(routes[i], snapshot.meters[i]->counts(), std::move(of_route), fleet);
    look.experiment = snapshot.experiments[i];
    look.verdict = judged.verdict.state;
    look.verdict_text = text_of(judged.verdict);
    if (judged.evidence && (!fleet || fleet->fresh)) {
      look.pairs = judged.evidence->pooled().pairs;
      look.evidence = judged.evidence;
    }
    look.rules = routes[i].verdict;
  }
  if (fleet) {
    look.fleet = fleet->rollout;
    look.fleet_identity = fleet->identity;
    look.fleet_stage = fleet->stage;
    look.stage_pairs = fleet->stage_pairs;
  }
  for (const Sample& sample : samples) {
    if (sample.label("route") != route) continue;
    if (sample.name == "understudy_fallbacks_total") look.candidate.fallbacks += sample.value;
    if (sample.label("leg") != "served" || !is_comparable(sample)) continue;
    add(sample.label("variant") == "candidate" ? look.candidate : look.primary, sample);
  }
  return look;
}

}  // namespace understudy::proxy
