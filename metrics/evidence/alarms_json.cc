#include "metrics/evidence/alarms_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "metrics/evidence/json_parts.h"

namespace understudy::metrics {
namespace {

using nlohmann::json;

constexpr std::uint64_t kVersion = 1;  // of a route's alarms by themselves
constexpr std::array kProcesses{Process::whole, Process::hour, Process::stage};

void read_alarm(const json& from, FamilyEvidence& family) {
  if (from.is_string()) return family.latch(known_gate(from.get<std::string>()), {}, kAnyThreshold);
  const auto process = from.at("process").get<std::string>();
  const auto known = std::ranges::find(kProcesses, process, [](Process p) { return label(p); });
  if (known == kProcesses.end())
    throw std::invalid_argument("no process is called '" + process.substr(0, 64) + "'");
  const bool told = from.contains("threshold") && !from["threshold"].is_null();
  family.latch(known_gate(from.at("signal").get<std::string>()),
               {*known, small_number(from.at("begin"))},
               told ? from["threshold"].get<double>() : kAnyThreshold);
}

RouteEvidence read_route(const json& from) {
  if (from.at("version").get<std::uint64_t>() != kVersion)
    throw std::invalid_argument("its version is not " + std::to_string(kVersion));
  CountedEvidence counted;
  read_alarms(from.at("all"), counted.pooled);
  const json& families = from.at("families");
  if (families.size() > RouteEvidence::kMaxFamilies)
    throw std::invalid_argument("it has more families than there may be");
  for (const auto& [name, alarms] : families.items()) {
    if (name.size() > kMaxNameBytes) throw std::invalid_argument("a family's name is too long");
    read_alarms(alarms, counted.families[name]);
  }
  counted.quantile_alarms = QuantileAlarms::from_json(from.at("quantiles"));
  return RouteEvidence::of(from.at("experiment").get<std::string>(), std::move(counted));
}

}  // namespace

json alarms_json(const FamilyEvidence& family) {
  json alarms = json::array();
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    if (!family.alarmed.test(gate)) continue;
    const ProcessOrigin& origin = family.alarmed_by[gate];
    const double threshold = family.alarmed_at[gate];
    alarms.push_back({{"signal", std::string{routing::kGates[gate].signal}},
                      {"process", label(origin.process)},
                      {"begin", origin.begin},
                      {"threshold", threshold == kAnyThreshold ? json() : json(threshold)}});
  }
  return alarms;
}

void read_alarms(const json& from, FamilyEvidence& family) {
  for (const json& alarm : from) read_alarm(alarm, family);
}

bool any_alarm(const RouteEvidence& evidence) {
  return evidence.pooled().alarmed.any() || evidence.quantile_alarms() != QuantileAlarms{} ||
         std::ranges::any_of(evidence.families(),
                             [](const auto& family) { return family.second.alarmed.any(); });
}

std::string alarms_to_json_text(const RouteEvidence& evidence) {
  json families = json::object();
  for (const auto& [name, family] : evidence.families()) {
    if (family.alarmed.any()) families[name] = alarms_json(family);
  }
  const json all = {{"version", kVersion},
                    {"experiment", evidence.experiment()},
                    {"all", alarms_json(evidence.pooled())},
                    {"families", std::move(families)},
                    {"quantiles", evidence.quantile_alarms().to_json()}};
  return all.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::variant<RouteEvidence, EvidenceProblem> alarms_from_json(std::string_view text) {
  return read_or_tell(text, read_route);
}

}  // namespace understudy::metrics
