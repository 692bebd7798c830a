#include "proxy/rollout_files.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "metrics/state_file.h"
#include "routing/experiment.h"
#include "routing/hash.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using routing::Moment;
using routing::RolloutPhase;
using std::chrono::milliseconds;

constexpr int kVersion = 1;
constexpr std::uintmax_t kMaxBytes = 64u << 10;
constexpr std::size_t kMaxTextBytes = 256;
constexpr std::array kPhases{
    RolloutPhase::pending, RolloutPhase::baking,   RolloutPhase::advancing,  RolloutPhase::holding,
    RolloutPhase::paused,  RolloutPhase::complete, RolloutPhase::rolled_back};

std::int64_t to_ms(Moment moment) {
  return std::chrono::duration_cast<milliseconds>(moment.time_since_epoch()).count();
}

Moment moment_at(const json& object, const char* key) {
  constexpr std::int64_t kYear9999 = 253'402'300'799'000;
  const auto ms = object.at(key).get<std::int64_t>();
  if (ms < 0 || ms > kYear9999) throw std::invalid_argument("no time");
  return Moment(milliseconds(ms));
}

std::string text_at(const json& object, const char* key) {
  auto text = object.at(key).get<std::string>();
  if (text.size() > kMaxTextBytes) throw std::invalid_argument("too long");
  return text;
}

RolloutPhase phase_at(const json& object, const char* key) {
  const std::string text = text_at(object, key);
  for (const RolloutPhase phase : kPhases) {
    if (label(phase) == text) return phase;
  }
  throw std::invalid_argument("no phase");
}

struct FigureKey {
  const char* name;
  double ServedFigures::*member;
};
constexpr std::array kFigures{FigureKey{"requests", &ServedFigures::requests},
                              FigureKey{"errors", &ServedFigures::errors},
                              FigureKey{"faults", &ServedFigures::faults},
                              FigureKey{"seconds", &ServedFigures::seconds},
                              FigureKey{"timed", &ServedFigures::timed},
                              FigureKey{"first_token_seconds", &ServedFigures::first_token_seconds},
                              FigureKey{"first_tokens", &ServedFigures::first_tokens},
                              FigureKey{"cost_usd", &ServedFigures::cost_usd},
                              FigureKey{"fallbacks", &ServedFigures::fallbacks}};

json baselines_to_json(const OperationalGates::Baselines& baselines) {
  json all = json::object();
  for (const routing::OperationalGate gate : routing::kOperationalGates) {
    const auto& known = baselines[static_cast<std::size_t>(gate)];
    if (!known) continue;
    json& figures = all[std::string(label(gate))];
    for (const FigureKey& figure : kFigures) figures[figure.name] = (*known).*figure.member;
  }
  return all;
}

OperationalGates::Baselines baselines_at(const json& object, const char* key) {
  OperationalGates::Baselines baselines;
  if (!object.contains(key)) return baselines;
  for (const routing::OperationalGate gate : routing::kOperationalGates) {
    const auto known = object.at(key).find(label(gate));
    if (known == object.at(key).end()) continue;
    ServedFigures& figures = baselines[static_cast<std::size_t>(gate)].emplace();
    for (const FigureKey& figure : kFigures) {
      const auto value = known->at(figure.name).get<double>();
      if (!std::isfinite(value) || value < 0.0) throw std::invalid_argument("no figure");
      figures.*figure.member = value;
    }
  }
  return baselines;
}

// Of values that a reader can tell apart: each behind its length.
void add(std::string& text, std::string_view value) {
  text.append(std::to_string(value.size())).append(":").append(value);
}
void add(std::string& text, std::int64_t value) {
  add(text, std::to_string(value));
}
void add(std::string& text, double value) {
  add(text, std::string_view(json(value).dump()));
}

void add(std::string& text, const routing::RolloutGates& gates) {
  add(text, static_cast<std::int64_t>(gates.evidence));
  for (const auto& rule : gates.operational) {
    add(text, rule ? "on" : "off");
    if (!rule) continue;
    add(text, rule->threshold);
    add(text, std::int64_t{rule->interval.count()});
    add(text, static_cast<std::int64_t>(rule->patience));
    add(text, static_cast<std::int64_t>(rule->min_requests));
  }
  if (gates.drift != routing::RolloutGates::Drift::tell) {
    add(text, "drift");
    add(text, static_cast<std::int64_t>(gates.drift));
  }
  if (gates.way_back != routing::RolloutGates::WayBack::hold) {
    add(text, "way_back");
    add(text, static_cast<std::int64_t>(gates.way_back));
  }
}

std::string plan_text(const routing::CanaryConfig& canary) {
  std::string text;
  add(text, std::int64_t{canary.percent.hundredths});
  add(text, static_cast<std::int64_t>(canary.sticky_by.kind));
  add(text, canary.sticky_by.name);
  for (const routing::RolloutStage& stage : canary.stages)
    add(text, std::int64_t{stage.percent.hundredths});
  return text;
}

std::string canary_text(const routing::CanaryConfig& canary) {
  std::string text = plan_text(canary);
  for (const routing::RolloutStage& stage : canary.stages) {
    add(text, std::int64_t{stage.min_time.count()});
    add(text, static_cast<std::int64_t>(stage.min_pairs));
  }
  add(text, std::int64_t{canary.watch.count()});
  if (canary.gates) add(text, *canary.gates);
  // Only where they are given: a program that knows more keys must not read an old section as
  // another one, which would lift its rollback.
  for (std::size_t i = 0; i < canary.stages.size(); ++i) {
    if (!canary.stages[i].gates) continue;
    add(text, "gates of stage");
    add(text, static_cast<std::int64_t>(i));
    add(text, *canary.stages[i].gates);
  }
  return text;
}

}  // namespace

RolloutIdentity identity_of(const routing::Config& config, const routing::RouteConfig& route) {
  return {.canary = routing::hex(routing::hash64(canary_text(route.canary))),
          .plan = routing::hex(routing::hash64(plan_text(route.canary))),
          .experiment = routing::experiment_id(config, route)};
}

std::string to_json_text(const StoredRollout& stored) {
  return json{{"version", kVersion},
              {"canary", stored.identity.canary},
              {"plan", stored.identity.plan},
              {"experiment", stored.identity.experiment},
              {"state", label(stored.state.phase)},
              {"stage", stored.state.stage},
              {"since_ms", to_ms(stored.state.since)},
              {"stage_since_ms", to_ms(stored.state.stage_since)},
              {"reason", stored.state.reason},
              {"watch_over", stored.state.watch_over},
              {"lifted_ms", to_ms(stored.state.lifted)},
              {"paused_ms", to_ms(stored.state.paused)},
              {"resumed_ms", to_ms(stored.state.resumed)},
              {"served_hundredths", stored.served.hundredths},
              {"pairs_before", stored.pairs_before ? json(*stored.pairs_before) : json()},
              {"baselines", baselines_to_json(stored.baselines)}}
             .dump(1) +
         "\n";
}

std::optional<StoredRollout> rollout_from_json(std::string_view text) {
  try {
    const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= 3; };
    const json object = json::parse(text, shallow);
    if (object.at("version").get<int>() != kVersion) return std::nullopt;
    StoredRollout stored;
    stored.identity = {text_at(object, "canary"), text_at(object, "plan"),
                       text_at(object, "experiment")};
    stored.state = {.phase = phase_at(object, "state"),
                    .stage = object.at("stage").get<std::uint8_t>(),
                    .since = moment_at(object, "since_ms"),
                    .stage_since = moment_at(object, "stage_since_ms"),
                    .reason = text_at(object, "reason"),
                    .watch_over = object.value("watch_over", false)};
    if (object.contains("lifted_ms")) stored.state.lifted = moment_at(object, "lifted_ms");
    if (object.contains("paused_ms")) stored.state.paused = moment_at(object, "paused_ms");
    if (object.contains("resumed_ms")) stored.state.resumed = moment_at(object, "resumed_ms");
    stored.served = {std::min(object.at("served_hundredths").get<std::uint32_t>(), 10'000u)};
    if (!object.at("pairs_before").is_null())
      stored.pairs_before = object.at("pairs_before").get<std::uint64_t>();
    stored.baselines = baselines_at(object, "baselines");
    return stored;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::filesystem::path RolloutFiles::path_of(std::string_view route) const {
  return directory_ / ("rollout-" + std::string(route) + ".json");
}

RolloutFiles::Loaded RolloutFiles::load(std::string_view route) const {
  if (directory_.empty()) return {};
  const std::filesystem::path path = path_of(route);
  const metrics::StateText read = writer_->read(path, kMaxBytes);
  std::string problem = read.problem;
  if (read.text) {
    if (auto stored = rollout_from_json(*read.text)) return {std::move(stored), {}};
    problem = "it is no rollout of this version";
  }
  if (problem.empty()) return {};
  return {std::nullopt, path.string() + " cannot be used: " + problem};
}

void RolloutFiles::keep_damaged(std::string_view route) const {
  if (keeps()) metrics::keep_state_file_as(path_of(route), "damaged");
}

void RolloutFiles::save(std::string_view route, const StoredRollout& stored) const {
  if (keeps()) writer_->write(path_of(route), to_json_text(stored));
}

void RolloutFiles::forget(std::string_view route) const {
  if (keeps()) writer_->forget(path_of(route));
}

std::string RolloutFiles::problem(std::string_view route) const {
  return keeps() ? writer_->problem(path_of(route)) : std::string();
}

std::string RolloutFiles::problem_after_try(std::string_view route) const {
  return keeps() ? writer_->problem_after_try(path_of(route)) : std::string();
}

}  // namespace understudy::proxy
