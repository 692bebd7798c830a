#pragma once
// What one attempt at an upstream did. Plain values, moved between threads.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/operation.h"
#include "routing/route_table.h"

namespace understudy::metrics {

using std::chrono::nanoseconds;

// Why a call was made: `served` is what the client gets, `shadow` the copy to the other variant,
// `control` a second copy to the served variant, to measure its noise.
enum class Leg : std::uint8_t { served, shadow, control };
std::string_view label(Leg leg) noexcept;

// How an attempt ended, coarsely.
enum class ErrorClass : std::uint8_t {
  ok,
  throttled,
  client_error,
  server_error,
  timeout,
  transport,
  stream_broken
};
std::string_view label(ErrorClass error_class) noexcept;

// Tokens as the upstream counted them. What it did not say stays empty: an unknown is never a zero.
struct Usage {
  std::optional<std::int64_t> input;  // without cached tokens
  std::optional<std::int64_t> output;
  std::optional<std::int64_t> cache_read;
  std::optional<std::int64_t> cache_write;
  // Parts of the counts above, where they were told apart.
  std::optional<std::int64_t> cache_write_1h{};  // of cache_write: kept for an hour, dearer
  std::optional<std::int64_t> reasoning{};       // of output
  bool missing() const noexcept { return !input && !output; }
  friend bool operator==(const Usage&, const Usage&) = default;
};

struct ToolCall {
  std::string name;
  std::string arguments;  // JSON text as the model gave it
  friend bool operator==(const ToolCall&, const ToolCall&) = default;
};

// What a piece of an answer is.
enum class BlockKind : std::uint8_t { none, text, thinking, tool_use };

// The model's answer, the same for every API and model family.
struct Answer {
  std::string text;  // all text blocks, joined
  std::vector<ToolCall> tool_calls;
  std::string stop_reason;  // Bedrock's or the model's own word, mapped to Converse's words where
                            // they mean the same
  std::size_t thinking_bytes = 0;
  std::size_t citations = 0;
  // What the answer begins with: readers of `content[0].text` break where that is thinking.
  BlockKind first_block = BlockKind::none;
  // False where the body was not what the operation promises, or not kept whole: text and tool
  // calls are then empty, the stop reason is there where it could be found.
  bool parsed = false;
};

// How an event stream came.
struct StreamShape {
  std::uint64_t events = 0;
  nanoseconds longest_gap{};  // between two events
  bool in_order = true;       // begin, blocks by rising index, end, each once
};

struct Observation {
  routing::Variant variant = routing::Variant::primary;
  Leg leg = Leg::served;
  routing::Operation operation = routing::Operation::other;
  std::string model_id;  // decoded, the one that was asked
  int status = 0;        // 0: no answer
  ErrorClass error_class = ErrorClass::ok;
  std::string error_type;     // "ValidationException", from the header or an exception frame
  std::string error_message;  // may hold content: never logged, never a label
  Answer answer;
  Usage usage;
  nanoseconds total{};       // request begun to answer ended
  nanoseconds first_byte{};  // request begun to first byte of the answer
  std::optional<nanoseconds>
      first_token;  // streams: request begun to first event that carries content
  std::optional<nanoseconds>
      time_per_output_token;  // streams: (last content - first content) / (output tokens - 1)
  std::optional<StreamShape> stream;  // where the answer came as a stream of events
  std::optional<double> cost_usd;     // empty where usage or price is unknown
};

}  // namespace understudy::metrics
