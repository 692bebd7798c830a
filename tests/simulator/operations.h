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
  invoke_model_with_bidirectional_stream,
  count_tokens,
  apply_guardrail,
  invoke_guardrail_checks,
  start_async_invoke,
  get_async_invoke,
  list_async_invokes,
  list_foundation_models,
  get_foundation_model,
  get_foundation_model_availability,
  list_inference_profiles,
  get_inference_profile,
  list_service_quotas,  // named in a header
  // The second wire: the model is named in the body.
  messages,
  messages_count_tokens,
  chat_completions,
  responses,
  list_models,
};

// Whose API the operation belongs to, and hence how its errors look.
enum class Wire : std::uint8_t { bedrock, anthropic, openai };
Wire wire_of(Operation operation);

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
