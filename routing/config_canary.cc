// The `canary` section of a route: what its candidate serves, and how it gets there.

#include <optional>
#include <string>
#include <vector>

#include "routing/config_sections.h"
#include "routing/config_values.h"

namespace understudy::routing {
namespace {

constexpr std::size_t kMostStages = 32;
constexpr milliseconds kLongest = 366 * 24h;

// `conversation`, `caller`, {header: NAME} or {metadata: KEY}.
void read_sticky_by(Section& canary, StickyBy& sticky_by) {
  const ConfigNode* node = canary.find("sticky_by");
  if (node == nullptr) return;
  if (node->kind == ConfigNode::Kind::scalar) {
    if (node->text == "caller") sticky_by.kind = StickyBy::Kind::caller;
    if (node->text != "caller" && node->text != "conversation") {
      canary.problem("sticky_by",
                     "must be conversation, caller, {header: NAME} or {metadata: KEY}, got " +
                         shown(node->text));
    }
    return;
  }
  Section section(*node, canary.path_of("sticky_by"), canary.problems());
  if (section.read("header", sticky_by.name, parse_header_name))
    sticky_by.kind = StickyBy::Kind::header;
  if (section.read("metadata", sticky_by.name, parse_text))
    sticky_by.kind = StickyBy::Kind::metadata;
  if (node->members.size() != 1) canary.problem("sticky_by", "takes one of header and metadata");
  section.finish();
}

Parsed<RolloutGates::Evidence> parse_evidence(std::string_view text) {
  if (text == "roll_back") return good(RolloutGates::Evidence::roll_back);
  if (text == "fix_first") return good(RolloutGates::Evidence::fix_first);
  if (text == "off") return good(RolloutGates::Evidence::off);
  return bad<RolloutGates::Evidence>("must be roll_back, fix_first or off, got " + shown(text));
}

Parsed<RolloutGates::Drift> parse_drift(std::string_view text) {
  if (text == "tell") return good(RolloutGates::Drift::tell);
  if (text == "roll_back") return good(RolloutGates::Drift::roll_back);
  if (text == "off") return good(RolloutGates::Drift::off);
  return bad<RolloutGates::Drift>("must be tell, roll_back or off, got " + shown(text));
}

Parsed<RolloutGates::WayBack> parse_way_back(std::string_view text) {
  if (text == "hold") return good(RolloutGates::WayBack::hold);
  if (text == "off") return good(RolloutGates::WayBack::off);
  return bad<RolloutGates::WayBack>("must be hold or off, got " + shown(text));
}

// Per cent, or points of it.
Parsed<double> parse_threshold(std::string_view text) {
  const Parsed<double> parsed = parse_amount(text);
  if (parsed.value && *parsed.value <= 10'000.0) return parsed;
  return bad<double>("must be a number of per cent from 0 to 10000, got " + shown(text));
}

void read_gate(const ConfigNode& node, std::string path, Problems& problems, OperationalGate gate,
               std::optional<GateRule>& rule) {
  if (node.kind == ConfigNode::Kind::scalar && node.text == "off") {
    rule.reset();
    return;
  }
  if (node.kind == ConfigNode::Kind::scalar) {
    problems.add(node.place, path,
                 "must be `off`, or a map like {threshold: 5}, got " + shown(node.text));
    return;
  }
  if (!rule) rule = RolloutGates{}.operational[static_cast<std::size_t>(gate)];
  Section section(node, std::move(path), problems);
  section.read("threshold", rule->threshold, parse_threshold);
  section.read("interval", rule->interval, duration_between(100ms, 24h));
  section.read("patience", rule->patience, count_between(1, 1'000));
  section.read("min_requests", rule->min_requests, count_between(1, 1'000'000));
  section.finish();
}

// Of the route, or of a stage: then what stands there goes before the route's.
void read_gates(Section& parent, RolloutGates& gates, bool of_stage) {
  const ConfigNode* node = parent.find("gates");
  if (node == nullptr) return;
  Section section(*node, parent.path_of("gates"), parent.problems());
  section.read("evidence", gates.evidence, parse_evidence);
  section.read("way_back", gates.way_back, parse_way_back);
  if (!of_stage) {
    section.read("drift", gates.drift, parse_drift);
  } else if (section.find("drift") != nullptr) {
    section.problem("drift", "is watched after the last stage: it stands in the gates of canary");
  }
  for (const OperationalGate gate : kOperationalGates) {
    const std::string_view name = label(gate);
    if (const ConfigNode* rule = section.find(name)) {
      read_gate(*rule, section.path_of(name), parent.problems(), gate,
                gates.operational[static_cast<std::size_t>(gate)]);
    }
  }
  section.finish();
}

void read_stage(const ConfigNode& node, std::string path, Problems& problems,
                const RolloutGates& of_route, Percent before, RolloutStage& stage) {
  Section section(node, std::move(path), problems);
  section.require("percent");
  if (section.read("percent", stage.percent, parse_percent) && stage.percent <= before)
    section.problem("percent", "must be above the stage before it");
  section.read("min_time", stage.min_time, duration_between(0ms, kLongest));
  section.read("min_pairs", stage.min_pairs, count_between(0, 100'000'000));
  if (section.find("gates") != nullptr)
    read_gates(section, stage.gates.emplace(of_route), /*of_stage=*/true);
  section.finish();
}

void read_stages(Section& canary, const RolloutGates& of_route, std::vector<RolloutStage>& stages) {
  const ConfigNode* list = canary.find_list("stages");
  if (list == nullptr) return;
  if (list->items.empty() || list->items.size() > kMostStages) {
    canary.problem("stages", "must be a list of 1 to " + std::to_string(kMostStages) + " stages");
    return;
  }
  Percent before;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    RolloutStage& stage = stages.emplace_back();
    read_stage(list->items[i], canary.path_of("stages", i), canary.problems(), of_route, before,
               stage);
    before = stage.percent;
  }
}

}  // namespace

void read_canary(Section& route, CanaryConfig& canary) {
  const ConfigNode* node = route.find("canary");
  if (node == nullptr) return;
  Section section(*node, route.path_of("canary"), route.problems());
  const bool has_percent = section.read("percent", canary.percent, parse_percent);
  read_sticky_by(section, canary.sticky_by);
  // A plan is held to its gates; a plain percent only where it asks for them.
  if (section.find("gates") != nullptr || section.find("stages") != nullptr)
    read_gates(section, canary.gates.emplace(), /*of_stage=*/false);
  section.note("gates", canary.gates ? "on" : "off", "off");
  read_stages(section, canary.gates.value_or(RolloutGates{}), canary.stages);
  if (has_percent && !canary.stages.empty())
    section.problem("percent", "is not for a route with stages: they say what is served");
  section.read("watch", canary.watch, duration_between(0ms, kLongest));
  section.read("fallback", canary.fallback, parse_bool);
  section.finish();
}

}  // namespace understudy::routing
