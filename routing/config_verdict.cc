// The `verdict` section of a route: what its candidate has to show.

#include <sstream>
#include <string>
#include <vector>

#include "routing/config_sections.h"
#include "routing/config_values.h"

namespace understudy::routing {
namespace {

// "1.5" means 0.015. A ratio is measured up to four times as much, which is +300 %.
auto percent_up_to(double most) {
  return [most](std::string_view text) -> Parsed<double> {
    const Parsed<double> parsed = parse_amount(text);
    if (parsed.value && *parsed.value <= most) return good(*parsed.value / 100.0);
    return bad<double>("must be a number of per cent from 0 to " +
                       std::to_string(static_cast<int>(most)) + ", got " + shown(text));
  };
}

std::string percent_of(double share) {
  std::ostringstream text;
  text << share * 100.0;
  return text.str();
}

void read_thresholds(const ConfigNode& node, std::string path, Problems& problems,
                     const GateDefault& gate, std::optional<GateThresholds>& thresholds) {
  if (node.kind == ConfigNode::Kind::scalar && node.text == "off") {
    thresholds.reset();
    return;
  }
  if (node.kind == ConfigNode::Kind::scalar) {
    problems.add(
        node.place, path,
        "must be `off`, or {alarm: ..., margin: ...} in per cent, got " + shown(node.text));
    return;
  }
  Section section(node, std::move(path), problems);
  const auto parse = percent_up_to(gate.unit == GateUnit::ratio ? 250.0 : 100.0);
  section.read("alarm", thresholds->alarm, parse);
  section.read("margin", thresholds->margin, parse);
  if (thresholds->margin <= thresholds->alarm && node.kind == ConfigNode::Kind::map) {
    const auto told = [&section](std::string_view key, double share) {
      return percent_of(share) + (section.find(key) == nullptr ? " by default" : "");
    };
    section.problem("margin", "(" + told("margin", thresholds->margin) + ") must be above alarm (" +
                                  told("alarm", thresholds->alarm) +
                                  "): what is safe lies beyond what alarms");
  }
  section.finish();
}

void read_gates(Section& verdict, VerdictConfig& config) {
  const ConfigNode* node = verdict.find("gates");
  if (node == nullptr) return;
  Section section(*node, verdict.path_of("gates"), verdict.problems());
  for (std::size_t i = 0; i < kGates.size(); ++i) {
    const std::string_view name = kGates[i].signal;
    if (const ConfigNode* gate = section.find(name)) {
      read_thresholds(*gate, section.path_of(name), verdict.problems(), kGates[i], config.gates[i]);
    }
  }
  section.finish();
}

}  // namespace

void read_verdict(Section& route, VerdictConfig& verdict) {
  const ConfigNode* node = route.find("verdict");
  if (node == nullptr) return;
  Section section(*node, route.path_of("verdict"), route.problems());
  section.read("min_hours", verdict.min_hours, count_between(0, 24 * 365));
  section.read("min_pairs_per_family", verdict.min_pairs_per_family, count_between(0, 1'000'000));
  section.read("max_missing_percent", verdict.max_missing, parse_percent);
  section.read("max_dropped_percent", verdict.max_dropped, parse_percent);
  section.read("number_tolerance_percent", verdict.number_tolerance, percent_up_to(100.0));
  read_gates(section, verdict);
  section.finish();
}

}  // namespace understudy::routing
