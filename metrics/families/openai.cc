#include "metrics/families/families.h"
#include "metrics/json_reader.h"
#include "metrics/usage.h"

namespace understudy::metrics::families {

namespace {

// Pieces of a streamed call carry its index; only the first has a name.
void read_streamed_call(Json call, AnswerBuilder& into) {
  const std::int64_t index = count_at(call, "index").value_or(0);
  const auto function = member(call, "function");
  if (!function) return;
  const auto name = string_at(*function, "name");
  if (name && !name->empty()) into.begin_tool_call(index, *name);
  if (const auto piece = string_at(*function, "arguments")) into.add_tool_arguments(index, *piece);
}

void read_whole_call(Json call, AnswerBuilder& into) {
  const auto function = member(call, "function");
  if (!function) return;
  into.add_tool_call(string_at(*function, "name").value_or(""),
                     string_at(*function, "arguments").value_or(""));
}

void read_text(Json message, AnswerBuilder& into) {
  if (const auto text = string_at(message, "content")) into.add_text(*text);
  if (const auto refusal = string_at(message, "refusal")) {
    into.add_text(*refusal);
    into.set_stop_reason("refusal");
  }
  for (const std::string_view key : {"reasoning_content", "reasoning"}) {
    if (const auto thinking = string_at(message, key)) into.add_thinking(*thinking);
  }
}

void read_choice(Json choice, AnswerBuilder& into) {
  if (const auto message = member(choice, "message")) {
    read_text(*message, into);
    for_each_at(*message, "tool_calls", [&into](Json call) { read_whole_call(call, into); });
  }
  if (const auto delta = member(choice, "delta")) {
    read_text(*delta, into);
    for_each_at(*delta, "tool_calls", [&into](Json call) { read_streamed_call(call, into); });
  }
  if (const auto text = string_at(choice, "text")) into.add_text(*text);  // DeepSeek R1's text form
  for (const std::string_view key : {"finish_reason", "stop_reason"}) {
    const auto reason = string_at(choice, key);
    if (!reason) continue;
    if (into.answer().stop_reason != "refusal") into.set_stop_reason(*reason);  // it says "stop"
    into.set_finished();
  }
}

}  // namespace

bool read_openai(Json json, AnswerBuilder& into) {
  const auto choices = member(json, "choices");
  if (!choices || !choices->is_array()) return false;
  // Further choices answer the same request again.
  if (const auto first = element(*choices, 0)) read_choice(*first, into);
  if (const auto usage = member(json, "usage")) read_usage(*usage, into.body_usage());
  return true;
}

}  // namespace understudy::metrics::families
