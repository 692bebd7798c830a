#include "tests/simulator/operations.h"

#include <array>

#include "tests/simulator/message.h"

namespace understudy::simulator {
namespace {

struct Shape {
  std::string_view method;
  std::string_view prefix;
  std::string_view suffix;  // with an id between prefix and suffix; `exact` when there is no id
  bool has_id;
  Operation operation;
};

// The longer suffix before the shorter where one ends in the other.
constexpr std::array<Shape, 24> kShapes{{
    {"POST", "/model/", "/converse-stream", true, Operation::converse_stream},
    {"POST", "/model/", "/converse", true, Operation::converse},
    {"POST", "/model/", "/invoke-with-response-stream", true,
     Operation::invoke_model_with_response_stream},
    {"POST", "/model/", "/invoke-with-bidirectional-stream", true,
     Operation::invoke_model_with_bidirectional_stream},
    {"POST", "/model/", "/invoke", true, Operation::invoke_model},
    {"POST", "/model/", "/count-tokens", true, Operation::count_tokens},
    {"POST", "/guardrail/", "/apply", true, Operation::apply_guardrail},
    {"POST", "/guardrail-checks/invoke", "", false, Operation::invoke_guardrail_checks},
    {"POST", "/async-invoke", "", false, Operation::start_async_invoke},
    {"GET", "/async-invoke", "", false, Operation::list_async_invokes},
    {"GET", "/async-invoke/", "", true, Operation::get_async_invoke},
    {"GET", "/foundation-models", "", false, Operation::list_foundation_models},
    {"GET", "/foundation-models/", "", true, Operation::get_foundation_model},
    {"GET", "/foundation-model-availability/", "", true,
     Operation::get_foundation_model_availability},
    {"GET", "/inference-profiles", "", false, Operation::list_inference_profiles},
    {"GET", "/inference-profiles/", "", true, Operation::get_inference_profile},
    {"POST", "/anthropic/v1/messages", "", false, Operation::messages},
    {"POST", "/anthropic/v1/messages/count_tokens", "", false, Operation::messages_count_tokens},
    {"POST", "/openai/v1/chat/completions", "", false, Operation::chat_completions},
    {"POST", "/v1/chat/completions", "", false, Operation::chat_completions},
    {"POST", "/openai/v1/responses", "", false, Operation::responses},
    {"POST", "/v1/responses", "", false, Operation::responses},
    {"GET", "/openai/v1/models", "", false, Operation::list_models},
    {"GET", "/v1/models", "", false, Operation::list_models},
}};

bool matches(const Shape& shape, std::string_view method, std::string_view path) {
  if (shape.method != method) return false;
  if (!shape.has_id) return path == shape.prefix;
  return path.size() > shape.prefix.size() + shape.suffix.size() &&
         path.starts_with(shape.prefix) && path.ends_with(shape.suffix);
}

}  // namespace

ParsedOperation parse_operation(std::string_view method, std::string_view path) {
  for (const Shape& shape : kShapes) {
    if (!matches(shape, method, path)) continue;
    path.remove_prefix(shape.prefix.size());
    path.remove_suffix(shape.suffix.size());
    return {shape.operation, percent_decode(path)};
  }
  return {};
}

Wire wire_of(Operation operation) {
  switch (operation) {
    case Operation::messages:
    case Operation::messages_count_tokens:
      return Wire::anthropic;
    case Operation::chat_completions:
    case Operation::responses:
    case Operation::list_models:
      return Wire::openai;
    default:
      return Wire::bedrock;
  }
}

std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::converse:
      return "Converse";
    case Operation::converse_stream:
      return "ConverseStream";
    case Operation::invoke_model:
      return "InvokeModel";
    case Operation::invoke_model_with_response_stream:
      return "InvokeModelWithResponseStream";
    case Operation::invoke_model_with_bidirectional_stream:
      return "InvokeModelWithBidirectionalStream";
    case Operation::count_tokens:
      return "CountTokens";
    case Operation::apply_guardrail:
      return "ApplyGuardrail";
    case Operation::invoke_guardrail_checks:
      return "InvokeGuardrailChecks";
    case Operation::start_async_invoke:
      return "StartAsyncInvoke";
    case Operation::get_async_invoke:
      return "GetAsyncInvoke";
    case Operation::list_async_invokes:
      return "ListAsyncInvokes";
    case Operation::list_foundation_models:
      return "ListFoundationModels";
    case Operation::get_foundation_model:
      return "GetFoundationModel";
    case Operation::get_foundation_model_availability:
      return "GetFoundationModelAvailability";
    case Operation::list_inference_profiles:
      return "ListInferenceProfiles";
    case Operation::get_inference_profile:
      return "GetInferenceProfile";
    case Operation::list_service_quotas:
      return "ListServiceQuotas";
    case Operation::messages:
      return "Messages";
    case Operation::messages_count_tokens:
      return "MessagesCountTokens";
    case Operation::chat_completions:
      return "ChatCompletions";
    case Operation::responses:
      return "Responses";
    case Operation::list_models:
      return "ListModels";
    case Operation::unknown:
      break;
  }
  return "Unknown";
}

}  // namespace understudy::simulator
