#include "routing/experiment.h"

#include "routing/hash.h"

namespace understudy::routing {
namespace {

// Raised when families come to mean something else.
constexpr std::string_view kFamiliesVersion = "families 2";

void append_variant(const Config& config, const VariantConfig& variant, std::string& out) {
  const UpstreamConfig& upstream = config.upstreams.at(variant.upstream);
  for (const std::string_view part :
       {std::string_view(upstream.endpoint.host), std::string_view(upstream.endpoint.path),
        std::string_view(upstream.region), std::string_view(variant.model)}) {
    out.append(part).push_back('\n');
  }
  out.append(std::to_string(upstream.endpoint.port)).push_back('\n');
  for (const RewriteRule& rule : variant.rewrite) {
    out.append(std::to_string(static_cast<int>(rule.kind))).push_back('\n');
    out.append(rule.pointer).push_back('\n');
    out.append(rule.json).push_back('\n');
    if (!rule.preset.empty()) out.append(rule.beside).append(rule.where).push_back('\n');
    for (const Operation operation : rule.operations) out.append(label(operation)).push_back(' ');
    out.push_back('\n');
  }
}

}  // namespace

std::string experiment_id(const Config& config, const RouteConfig& route) {
  if (!route.candidate) return {};
  std::string text{kFamiliesVersion};
  append_variant(config, route.primary, text);
  text.append("candidate\n");
  append_variant(config, *route.candidate, text);
  return hex(hash64(text));
}

}  // namespace understudy::routing
