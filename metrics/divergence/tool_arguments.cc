#include "metrics/divergence/tool_arguments.h"

#include <algorithm>

#include "metrics/divergence/json_value.h"
#include "metrics/json_reader.h"

namespace understudy::metrics::divergence {

std::optional<Json> arguments_of(const ToolCall& call, JsonParser& parser) {
  if (call.arguments.size() > kMaxArguments) return std::nullopt;
  const bool none = call.arguments.find_first_not_of(" \t\r\n") == std::string::npos;
  auto arguments = parser.parse(none ? "{}" : std::string_view{call.arguments});
  if (arguments && !is_object(*arguments)) arguments.reset();
  return arguments;
}

CallPrint print_of(const ToolCall& call) {
  CallPrint print{.name = call.name, .keys = {}, .values = 0};
  JsonParser parser;
  const auto arguments = arguments_of(call, parser);
  if (!arguments) {
    print.values = hash_of(std::string_view{call.arguments});
    return print;
  }
  simdjson::dom::object object;
  if (arguments->get(object) != simdjson::SUCCESS) return print;
  for (const auto argument : object) {
    print.keys.emplace_back(hash_of(argument.key), type_of(argument.value));
  }
  std::sort(print.keys.begin(), print.keys.end());
  print.values = hash_of(*arguments, Strings::lax);
  return print;
}

}  // namespace understudy::metrics::divergence
