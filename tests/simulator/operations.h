#pragma once
// Which operation a method and path name. Pure.

#include <cstdint>
#include <string>
#include <string_view>

namespace understudy::simulator {

enum class Operation : std::uint8_t {
  unknown,
  converse,
  converse_stream,
  invoke_model,
  invoke_model_with_response_stream,
  count_tokens,
  apply_guardrail,
  start_async_invoke,
  get_async_invoke,
  list_async_invokes,
  list_foundation_models,
  get_foundation_model,
  get_foundation_model_availability,
  list_inference_profiles,
  get_inference_profile,
};

struct ParsedOperation {
  Operation operation = Operation::unknown;
  std::string resource;  // decoded: the model id, profile or ARN that the path names
};

// `path` is raw. The operation stands last and ARNs may bring slashes, so the id is what lies
// between.
ParsedOperation parse_operation(std::string_view method, std::string_view path);

// As AWS spells it, e.g. "ConverseStream"; "Unknown" for the rest.
std::string_view name_of(Operation operation);

}  // namespace understudy::simulator
