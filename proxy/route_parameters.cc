#include "proxy/route_parameters.h"

#include <nlohmann/json.hpp>

namespace understudy::proxy {

using nlohmann::json;

namespace {

json describe_variant(const routing::Config& config, const routing::VariantConfig& variant) {
  return {{"upstream", config.upstreams.at(variant.upstream).name},
          {"model", variant.model.empty() ? json() : json(variant.model)}};
}

}  // namespace

nlohmann::json describe_variants(const routing::Config& config, const routing::RouteConfig& route) {
  return {{"primary", describe_variant(config, route.primary)},
          {"candidate", route.candidate ? describe_variant(config, *route.candidate) : json()}};
}

nlohmann::json describe_parameters(const routing::RouteConfig& route) {
  const routing::VerdictConfig& rules = route.verdict;
  json gates = json::object();
  for (std::size_t gate = 0; gate < routing::kGates.size(); ++gate) {
    const auto& thresholds = rules.gates[gate];
    gates[std::string(routing::kGates[gate].signal)] =
        thresholds ? json{{"alarm", thresholds->alarm},
                          {"margin", thresholds->margin},
                          {"critical", routing::kGates[gate].critical}}
                   : json();
  }
  const routing::ControlShare& control = route.shadow.control;
  return {{"min_hours", rules.min_hours},
          {"min_pairs_per_family", rules.min_pairs_per_family},
          {"max_missing_percent", rules.max_missing.value()},
          {"max_dropped_percent", rules.max_dropped.value()},
          {"number_tolerance_percent", rules.number_tolerance * 100.0},
          {"control_percent", control.automatic ? json() : json(control.percent.value())},
          {"gates", std::move(gates)}};
}

}  // namespace understudy::proxy
