// Calls that a caller's dispatcher would choke on: held to the tools that the request offers, by
// the rules of BFCL's checker.

#include <algorithm>
#include <string_view>

#include "metrics/divergence/signals.h"
#include "metrics/divergence/tool_arguments.h"
#include "metrics/json_reader.h"

namespace understudy::metrics::divergence {

namespace {

std::string_view breach_of(Json arguments, const JsonSchema& schema) {
  switch (schema.check(arguments)) {
    case JsonSchema::Breach::none:
      return {};
    case JsonSchema::Breach::type:
      return "argument_type";
    case JsonSchema::Breach::key_missing:
    case JsonSchema::Breach::key_renamed:
      return "argument_missing";
    case JsonSchema::Breach::key_unexpected:
      return "argument_unexpected";
    case JsonSchema::Breach::value:
      return "argument_value";
  }
  return {};
}

std::string_view breach_of(const ToolCall& call, const Expectations& expected) {
  const DemandedTool* tool = expected.tool(call.name);
  if (tool == nullptr && !expected.tools.empty()) return "tool_unknown";
  if (call.arguments.size() > kMaxArguments) return {};
  JsonParser parser;
  const auto arguments = arguments_of(call, parser);
  if (!arguments) return "argument_invalid";
  if (tool == nullptr || !tool->arguments) return {};
  return breach_of(*arguments, *tool->arguments);
}

// The first breach of any call.
std::string_view breach_of(const Observation& seen, const Expectations& expected) {
  std::size_t looked = 0;
  for (const ToolCall& call : seen.answer.tool_calls) {
    if (++looked > kMaxCalls) break;
    if (const std::string_view breach = breach_of(call, expected); !breach.empty()) return breach;
  }
  return {};
}

}  // namespace

std::optional<Finding> tool_contract(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  if (served.answer.tool_calls.empty() && other.answer.tool_calls.empty()) return std::nullopt;
  const std::string_view here = breach_of(served, expected);
  const std::string_view there = breach_of(other, expected);
  return Finding{.signal = Signal::tool_contract,
                 .diverges = here != there,
                 .served_bad = !here.empty(),
                 .other_bad = !there.empty(),
                 .detail = there.empty() ? here : there};
}

}  // namespace understudy::metrics::divergence
