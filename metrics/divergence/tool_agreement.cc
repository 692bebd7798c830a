#include <algorithm>
#include <string_view>
#include <vector>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

// Parallel calls have no order.
std::vector<std::string_view> sorted_names(const std::vector<ToolCall>& calls) {
  std::vector<std::string_view> names;
  names.reserve(calls.size());
  for (const ToolCall& call : calls) names.push_back(call.name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::optional<Finding> tool_agreement(const Pair& pair) {
  const auto& [served, other, expected] = pair;
  if (!both_answered(pair)) return std::nullopt;
  const auto& here = served.answer.tool_calls;
  const auto& there = other.answer.tool_calls;
  if (here.empty() && there.empty()) return std::nullopt;
  return Finding{.signal = Signal::tool_agreement,
                 .diverges = sorted_names(here) != sorted_names(there),
                 .served_bad = here.empty(),
                 .other_bad = there.empty()};
}

}  // namespace understudy::metrics::divergence
