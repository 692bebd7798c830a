#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/metrics/pair_maker.h"

namespace understudy::metrics {
namespace {

using Calls = std::vector<ToolCall>;

const Expectations& offered() {
  static const Expectations expectations = Expectations::from_request(routing::Operation::converse,
                                                                      R"({"toolConfig": {"tools": [
        {"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object",
          "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
                         "unit": {"enum": ["C", "F"]}},
          "required": ["city"], "additionalProperties": false}}}},
        {"toolSpec": {"name": "time", "inputSchema": {"json": {"type": "object"}}}}]}})");
  return expectations;
}

std::string_view contract(Calls other) {
  return verdict_on(Signal::tool_contract, tool_turn({{"weather", R"({"city": "Rome"})"}}),
                    tool_turn(std::move(other)), offered());
}

TEST(ToolContract, HoldsCallsToTheToolsOfTheRequest) {
  EXPECT_EQ(contract({{"weather", R"({"city": "Rome", "days": 3, "unit": "C"})"}}), "fine");
  EXPECT_EQ(contract({{"weather", R"({"city": "Rome", "days": 3.0})"}}), "fine");
  EXPECT_EQ(contract({{"time", ""}}), "fine") << "no arguments at all";
  EXPECT_EQ(contract({}), "fine");
  EXPECT_EQ(contract({{"get_weather", "{}"}}), "tool_unknown");
  EXPECT_EQ(contract({{"weather", "{}"}}), "argument_missing");
  EXPECT_EQ(contract({{"weather", R"({"city": 3})"}}), "argument_type");
  EXPECT_EQ(contract({{"weather", R"({"city": "Rome", "days": "3"})"}}), "argument_type");
  EXPECT_EQ(contract({{"weather", R"({"city": "Rome", "unit": "K"})"}}), "argument_value");
  EXPECT_EQ(contract({{"weather", R"({"city": "Rome", "zip": 1})"}}), "argument_unexpected");
  EXPECT_EQ(contract({{"weather", R"({"city": "Ro)"}}), "argument_invalid");
  EXPECT_EQ(contract({{"weather", R"(["Rome"])"}}), "argument_invalid");
  EXPECT_EQ(contract({{"time", "{}"}, {"weather", "{}"}}), "argument_missing");
}

TEST(ToolContract, ReadsEveryKindOfRequest) {
  for (const char* body :
       {R"({"tools": [{"name": "f", "input_schema": {"required": ["a"]}}]})",
        R"({"tools": [{"type": "function", "function": {"name": "f", "parameters":
           {"required": ["a"]}}}]})"}) {
    const auto expectations = Expectations::from_request(routing::Operation::invoke_model, body);
    EXPECT_EQ(verdict_on(Signal::tool_contract, tool_turn({{"f", R"({"a": 1})"}}),
                         tool_turn({{"f", "{}"}}), expectations),
              "argument_missing")
        << body;
  }
  EXPECT_EQ(verdict_on(Signal::tool_contract, answer("x"), tool_turn({{"g", "{}"}})), "fine")
      << "nothing is known of the tools";
  EXPECT_EQ(verdict_on(Signal::tool_contract, answer("x"), answer("y"), offered()), "none");
}

std::string agreement(Calls served, Calls other) {
  const auto finding =
      found(Signal::tool_agreement, tool_turn(std::move(served)), tool_turn(std::move(other)));
  if (!finding) return "none";
  return (finding->diverges ? "differs: " : "agrees: ") + std::string{finding->detail};
}

TEST(ToolAgreement, MatchesCallsWithoutOrder) {
  const ToolCall rome{"weather", R"({"city": "Rome", "days": 3})"};
  const ToolCall oslo{"weather", R"({"city": "Oslo", "days": 1})"};
  const ToolCall now{"time", "{}"};
  EXPECT_EQ(agreement({rome, oslo}, {oslo, rome}), "agrees: ");
  EXPECT_EQ(agreement({rome}, {{"weather", R"({"days":3.0,"city":"rome"})"}}), "agrees: ");
  EXPECT_EQ(agreement({rome}, {oslo}), "differs: argument_value");
  EXPECT_EQ(agreement({rome}, {{"weather", R"({"city": "Rome"})"}}), "differs: argument_keys");
  EXPECT_EQ(agreement({rome}, {{"weather", R"({"city": "Rome", "days": "3"})"}}),
            "differs: argument_type");
  EXPECT_EQ(agreement({rome}, {now}), "differs: tool_name");
  EXPECT_EQ(agreement({rome, now}, {rome}), "differs: tool_missing");
  EXPECT_EQ(agreement({rome}, {}), "differs: tool_missing");
  EXPECT_EQ(agreement({}, {rome}), "differs: tool_extra");
  EXPECT_EQ(agreement({}, {}), "none");
}

TEST(ToolAgreement, CallsMoreOfThemInParallelAWarning) {
  const ToolCall rome{"weather", R"({"city": "Rome"})"}, oslo{"weather", R"({"city": "Oslo"})"};
  const ToolCall bern{"weather", R"({"city": "Bern"})"};
  EXPECT_EQ(agreement({rome}, {rome, oslo}), "agrees: more_parallel_calls");
  EXPECT_EQ(agreement({rome}, {oslo, bern}), "differs: argument_value");
}

TEST(ToolAgreement, TellsHowManyCallsThereAreForEachOfTheOthers) {
  const ToolCall rome{"weather", R"({"city": "Rome"})"}, oslo{"weather", R"({"city": "Oslo"})"};
  const auto value = [](Calls served, Calls other) {
    return found(Signal::tool_agreement, tool_turn(std::move(served)), tool_turn(std::move(other)))
        ->value;
  };
  EXPECT_DOUBLE_EQ(value({rome}, {rome, oslo}), std::log(2.0));
  EXPECT_DOUBLE_EQ(value({rome, oslo}, {oslo}), -std::log(2.0));
  EXPECT_EQ(value({rome}, {oslo}), 0.0);
  EXPECT_EQ(value({rome}, {}), 0.0) << "no call at all is told by itself";
  EXPECT_EQ(value({}, {rome}), 0.0);
}

TEST(FirstTool, IsTheOneThatBothBeginWith) {
  const ToolCall rome{"weather", R"({"city": "Rome"})"}, oslo{"weather", R"({"city": "Oslo"})"};
  const ToolCall now{"time", "{}"};
  const auto first = [](Calls served, Calls other) {
    return found(Signal::first_tool, tool_turn(std::move(served)), tool_turn(std::move(other)));
  };
  EXPECT_FALSE(first({rome, now}, {oslo})->diverges);
  EXPECT_EQ(first({rome, now}, {now, rome})->detail, "first_tool_differs");
  EXPECT_FALSE(first({rome}, {})) << "that no tool is called is tool_agreement's";
  EXPECT_FALSE(routing::gate_of(label(Signal::first_tool))) << "told, never judged";
}

TEST(ToolAgreement, EscapesAreNoDifference) {
  EXPECT_EQ(agreement({{"f", R"({"p": "a/b \u00e9"})"}}, {{"f", R"({"p":"a\/b é"})"}}), "agrees: ");
}

}  // namespace
}  // namespace understudy::metrics
