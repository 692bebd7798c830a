#pragma once
// What a request asks of Bedrock, read from its method and raw target alone.
// The target is split on raw '/', the model id is decoded once, only to be read;
// what is sent on are always the bytes that came (a decoded and re-encoded path breaks signatures).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace understudy::routing {

// First those whose requests and answers we understand. Those behind are only passed on and
// counted, like `other`, which is all else: proxied, never shadowed.
enum class Operation : std::uint8_t {
  converse,
  converse_stream,
  invoke_model,
  invoke_model_with_response_stream,
  count_tokens,
  messages,               // Anthropic's Messages API; streamed or not, as its body says
  messages_count_tokens,  // of the same API
  chat_completions,       // the OpenAI-compatible APIs, streamed or not
  responses,
  invoke_model_with_bidirectional_stream,  // over HTTP/2 only
  apply_guardrail,
  invoke_guardrail_checks,
  start_async_invoke,
  get_async_invoke,
  list_async_invokes,
  other,
};
inline constexpr std::array kOperations{Operation::converse,
                                        Operation::converse_stream,
                                        Operation::invoke_model,
                                        Operation::invoke_model_with_response_stream,
                                        Operation::count_tokens,
                                        Operation::messages,
                                        Operation::messages_count_tokens,
                                        Operation::chat_completions,
                                        Operation::responses,
                                        Operation::invoke_model_with_bidirectional_stream,
                                        Operation::apply_guardrail,
                                        Operation::invoke_guardrail_checks,
                                        Operation::start_async_invoke,
                                        Operation::get_async_invoke,
                                        Operation::list_async_invokes,
                                        Operation::other};

// The metric label: the enumerator's own spelling.
std::string_view label(Operation operation) noexcept;
// "ConverseStream" and its kin, as Bedrock and the config spell them; none for an unknown name.
std::optional<Operation> operation_from_name(std::string_view name) noexcept;
// Whether its body can be looked into: rewritten, copied, compared.
bool is_understood(Operation operation) noexcept;
// Whether tokens are counted rather than used.
bool only_counts_tokens(Operation operation) noexcept;
// The second wire: ordinary JSON that names the model itself, answers as JSON or server-sent
// events.
bool names_model_in_body(Operation operation) noexcept;

// Whose API a path belongs to, and hence how its errors look.
enum class Wire : std::uint8_t { bedrock, anthropic, openai };
// By the path's beginning alone, so that a request that is refused early is answered in the shape
// that its client reads.
Wire wire_of(std::string_view raw_target, std::string_view base_path) noexcept;

// Which of Bedrock's hosts answers a path: `bedrock-runtime.{region}` or `bedrock.{region}`.
enum class Surface : std::uint8_t { runtime, control_plane };

struct RequestTarget {
  Surface surface = Surface::runtime;
  Wire wire = Wire::bedrock;
  Operation operation = Operation::other;
  std::string_view forwarded;  // the raw target behind the base path; views the caller's bytes
  std::string_view path;       // `forwarded` without its query
  std::string_view raw_model;  // as it stands in `forwarded`; empty where the path names no model
  std::string model_id;        // `raw_model` decoded once
};

struct TargetProblem {
  std::string_view what;  // a static sentence for the error body
};

// `base_path` is "" or "/prefix" and is removed; one doubled slash directly behind it counts as
// one. Refused: targets not in origin form, bytes outside visible ASCII, '#', '\', "." and ".."
// segments (decoded too),
// "//" elsewhere, a bad percent escape, and in a model id %00, %25 and control characters.
std::variant<RequestTarget, TargetProblem> parse_target(std::string_view method,
                                                        std::string_view raw_target,
                                                        std::string_view base_path);

}  // namespace understudy::routing
