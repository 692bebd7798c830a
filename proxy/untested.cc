#include "proxy/untested.h"

#include <string_view>

#include "metrics/verdict_text.h"
#include "routing/route_table.h"

namespace understudy::proxy {
namespace {

using metrics::RouteEvidence;
using metrics::Signal;

// A copy ends with one answer: what the candidate's own calls would lead to is never asked.
std::string second_turns(const std::map<Signal, metrics::SignalCounts>& signals) {
  const auto calls = signals.find(Signal::tool_agreement);
  if (calls == signals.end() || calls->second.pairs == 0) return {};
  return "What follows the candidate's own tool calls: a copy ends with its first answer, and "
         "later turns go on from the calls of whoever served them.";
}

std::string sizes(const routing::RouteConfig& route, const metrics::RouteCounts& counts) {
  const auto large = counts.skipped.find(std::string(label(routing::SkipReason::too_large)));
  if (large == counts.skipped.end() || large->second == 0 || counts.eligible == 0) return {};
  const double share = static_cast<double>(large->second) / static_cast<double>(counts.eligible);
  return "Requests of more than " + std::to_string(route.shadow.max_body_bytes) +
         " bytes (shadow.max_body_bytes): " + std::to_string(large->second) + ", " +
         metrics::text_of_number(share * 100.0) + " % of all.";
}

std::string languages(const RouteEvidence& evidence) {
  std::string seen;
  for (const auto& [language, pairs] : evidence.languages())
    seen += (seen.empty() ? "" : ", ") + language + " (" + std::to_string(pairs) + ")";
  if (seen.empty()) return "Languages: that of no answer could be told.";
  return "Other languages than those of the primary's answers, as far as they could be told: " +
         seen + ".";
}

}  // namespace

std::vector<std::string> untested(const routing::RouteConfig& route,
                                  const metrics::RouteCounts& counts,
                                  const std::map<Signal, metrics::SignalCounts>& signals,
                                  const RouteEvidence* evidence) {
  std::vector<std::string> told;
  if (!evidence || evidence->pooled().pairs == 0) return told;
  for (const std::string& text :
       {second_turns(signals), sizes(route, counts), languages(*evidence)}) {
    if (!text.empty()) told.push_back(text);
  }
  return told;
}

std::string reproduction(const std::string& route) {
  const std::string file = "evidence-" + route + ".json";
  return "curl -s ADMIN/api/routes/" + route + "/evidence > " + file +
         " && understudy verdict --config CONFIG --evidence " + file + " --route " + route;
}

}  // namespace understudy::proxy
