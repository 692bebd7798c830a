#pragma once
// A tool call's arguments, read.

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/json_fwd.h"
#include "metrics/observation.h"

namespace understudy::metrics::divergence {

// Calls beyond these are not looked at: a model that makes more has other troubles.
inline constexpr std::size_t kMaxCalls = 64;

// What is longer is neither held to a schema nor taken apart.
inline constexpr std::size_t kMaxArguments = 1u << 20;

// None where they are no JSON object. No text at all is a call without arguments.
std::optional<Json> arguments_of(const ToolCall& call, JsonParser& parser);

struct CallPrint {
  std::string_view name;
  std::vector<std::pair<std::uint64_t, std::uint8_t>> keys;  // hash and JsonType, sorted
  std::uint64_t values = 0;  // of all arguments, strings lax; of the text where it is no object
};
CallPrint print_of(const ToolCall& call);

}  // namespace understudy::metrics::divergence
