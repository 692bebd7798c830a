#pragma once
// What a request asks of the model, whatever body format it came in. Read from hostile bytes: never
// throws. Pure.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/config.h"

namespace understudy::simulator {

struct Tool {
  std::string name;
  nlohmann::json input_schema;
};

struct Prompt {
  std::uint64_t fingerprint = 0;      // of what is said, not of how it is framed or parameterised
  std::size_t characters = 0;         // system, messages and tools
  std::size_t cached_characters = 0;  // up to the last cache point
  std::uint64_t cached_fingerprint = 0;  // of what stands before the last cache point
  std::string instructions;  // system text, or the whole prompt where a format has none apart
  std::vector<Tool> tools;
  std::string forced_tool;
  bool tool_required = false;  // tool choice `any`, or a forced tool
  bool ends_with_tool_result = false;
  bool ends_with_assistant = false;
  std::optional<nlohmann::json> output_schema;  // structured output
  std::optional<std::uint64_t> max_tokens;
  std::vector<std::string> stop_sequences;
  bool has_temperature = false;
  bool has_top_p = false;
  bool has_top_k = false;
  bool thinking_enabled = false;
  bool top_level_cache_control = false;
  bool has_betas = false;
};

// Parses JSON of at most 128 levels; nothing when it is malformed or deeper.
std::optional<nlohmann::json> parse_json(std::string_view text);

// The problem in Bedrock's words where `body` lacks what the format requires.
struct PromptResult {
  Prompt prompt;
  std::string problem;
};

PromptResult read_converse(const nlohmann::json& body);
PromptResult read_invoke(Family family, const nlohmann::json& body);
// The second wire's bodies. What is said counts the same whichever API it is said through.
PromptResult read_messages(const nlohmann::json& body);
PromptResult read_chat(const nlohmann::json& body);
PromptResult read_responses(const nlohmann::json& body);

}  // namespace understudy::simulator
