#include "metrics/families/answer_builder.h"

#include <algorithm>
#include <array>

namespace understudy::metrics::families {

namespace {

// It becomes a value in records and a key in counts; a hostile one must not be a page long.
constexpr std::size_t kMaxStopReason = 64;

struct Synonym {
  std::string_view word;
  std::string_view converse;
};

// Titan, Llama and Mistral, Cohere, AI21, OpenAI.
constexpr std::array kSynonyms{
    Synonym{"FINISH", "end_turn"},
    Synonym{"FINISHED", "end_turn"},
    Synonym{"COMPLETE", "end_turn"},
    Synonym{"stop", "end_turn"},
    Synonym{"endoftext", "end_turn"},
    Synonym{"LENGTH", "max_tokens"},
    Synonym{"length", "max_tokens"},
    Synonym{"MAX_TOKENS", "max_tokens"},
    Synonym{"max_output_tokens", "max_tokens"},
    Synonym{"STOP_SEQUENCE", "stop_sequence"},
    Synonym{"STOP_CRITERIA_MET", "stop_sequence"},
    Synonym{"tool_calls", "tool_use"},
    Synonym{"function_call", "tool_use"},
    Synonym{"TOOL_CALL", "tool_use"},
    Synonym{"CONTENT_FILTERED", "content_filtered"},
    Synonym{"content_filter", "content_filtered"},
    Synonym{"ERROR_TOXIC", "content_filtered"},
    Synonym{"INTERVENED", "guardrail_intervened"},
};

}  // namespace

std::string_view converse_stop_reason(std::string_view word) noexcept {
  const auto* found = std::find_if(kSynonyms.begin(), kSynonyms.end(),
                                   [word](const Synonym& each) { return each.word == word; });
  return found != kSynonyms.end() ? found->converse : word.substr(0, kMaxStopReason);
}

void AnswerBuilder::add_text(std::string_view text) {
  answer_.text += text;
  if (!text.empty()) note_block(BlockKind::text);
  content_ = content_ || !text.empty();
}

void AnswerBuilder::add_thinking(std::string_view thinking) {
  answer_.thinking_bytes += thinking.size();
  if (!thinking.empty()) note_block(BlockKind::thinking);
  content_ = content_ || !thinking.empty();
}

void AnswerBuilder::add_tool_call(std::string_view name, std::string_view arguments) {
  content_ = true;
  note_block(BlockKind::tool_use);
  if (answer_.tool_calls.size() >= kMaxToolCalls) return;
  answer_.tool_calls.push_back({std::string{name}, std::string{arguments}});
}

void AnswerBuilder::begin_tool_call(std::int64_t block, std::string_view name) {
  if (answer_.tool_calls.size() >= kMaxToolCalls) return;
  add_tool_call(name, {});
  open_calls_.emplace_back(block, answer_.tool_calls.size() - 1);
}

void AnswerBuilder::add_tool_arguments(std::int64_t block, std::string_view piece) {
  content_ = true;
  const auto call = std::find_if(open_calls_.rbegin(), open_calls_.rend(),
                                 [block](const auto& open) { return open.first == block; });
  if (call != open_calls_.rend()) answer_.tool_calls[call->second].arguments += piece;
}

void AnswerBuilder::note_block(BlockKind kind) noexcept {
  if (answer_.first_block == BlockKind::none) answer_.first_block = kind;
}

void AnswerBuilder::note_begin() noexcept {
  in_order_ = in_order_ && !begun_ && !ended_;
  begun_ = true;
}

void AnswerBuilder::note_block_index(std::int64_t block) noexcept {
  in_order_ = in_order_ && begun_ && !ended_ && block >= last_block_;
  last_block_ = block;
}

void AnswerBuilder::note_end() noexcept {
  in_order_ = in_order_ && begun_ && !ended_;
  ended_ = true;
}

void AnswerBuilder::set_stop_reason(std::string_view word) {
  // A guardrail's word stands whatever the model says afterwards.
  if (word.empty() || answer_.stop_reason == "guardrail_intervened") return;
  answer_.stop_reason = converse_stop_reason(word);
}

void AnswerBuilder::fail(std::string_view type, std::string_view message) {
  error_type_ = type.empty() ? std::string_view{"unknown"} : type;
  error_message_ = message;
}

}  // namespace understudy::metrics::families
