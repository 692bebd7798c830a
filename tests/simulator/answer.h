#pragma once
// Makes up the model's answer: text, JSON or a tool call, with plausible usage. What is said
// depends on the prompt and the seed alone, so that two models agree unless their style differs;
// the style depends on the model too. Pure.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/simulator/config.h"
#include "tests/simulator/prompt.h"

namespace understudy::simulator {

struct Block {
  enum class Kind : std::uint8_t { text, thinking, tool_use };
  Kind kind = Kind::text;
  std::string text;       // of text and thinking
  std::string signature;  // of thinking
  std::string tool_name;
  std::string tool_id;  // without the prefix that each API has
  nlohmann::json tool_input;
};

struct Usage {
  std::uint64_t input = 0;  // without cached tokens, as Bedrock counts
  std::uint64_t output = 0;
  std::uint64_t cache_read = 0;
  std::uint64_t cache_write = 0;
};

enum class StopReason : std::uint8_t { end_turn, tool_use, max_tokens, stop_sequence };

struct Answer {
  std::string id;  // 24 characters after `msg_bdrk_`
  std::vector<Block> blocks;
  StopReason stop_reason = StopReason::end_turn;
  std::string stop_sequence;
  Usage usage;
  double first_token_ms = 0;
  double per_token_ms = 0;

  double total_ms() const {
    return first_token_ms + per_token_ms * static_cast<double>(usage.output);
  }
};

struct AnswerSeeds {
  std::uint64_t content = 0;   // what is said
  std::uint64_t style = 0;     // how this model says it
  std::uint64_t identity = 0;  // ids and latencies
};

std::uint64_t count_tokens(std::size_t characters, double tokenizer_factor);

Answer make_answer(const Prompt& prompt, const Model& model, const AnswerSeeds& seeds);

}  // namespace understudy::simulator
