// Families whose bodies are a text, a reason to stop and perhaps counts.

#include "metrics/families/families.h"
#include "metrics/json_reader.h"

namespace understudy::metrics::families {

namespace {

// A stream's last object is the one that names a reason; until then it is null or absent.
void read_reason(Json json, std::string_view key, AnswerBuilder& into) {
  const auto reason = string_at(json, key);
  if (!reason) return;
  into.set_stop_reason(*reason);
  into.set_finished();
}

void keep_count(std::optional<std::int64_t> count, std::optional<std::int64_t>& into) {
  if (count) into = count;
}

}  // namespace

bool read_titan(Json json, AnswerBuilder& into) {
  keep_count(count_at(json, "inputTextTokenCount"), into.body_usage().input);
  if (const auto piece = string_at(json, "outputText")) {  // of a stream
    into.add_text(*piece);
    keep_count(count_at(json, "totalOutputTextTokenCount"), into.body_usage().output);
    read_reason(json, "completionReason", into);
    return true;
  }
  if (const auto results = member(json, "results"); results && results->is_array()) {
    if (const auto first = element(*results, 0)) {
      into.add_text(string_at(*first, "outputText").value_or(""));
      keep_count(count_at(*first, "tokenCount"), into.body_usage().output);
      read_reason(*first, "completionReason", into);
    }
    return true;
  }
  return member(json, "embedding") || member(json, "embeddings");
}

bool read_llama(Json json, AnswerBuilder& into) {
  const auto text = string_at(json, "generation");
  if (!text) return false;
  into.add_text(*text);
  keep_count(count_at(json, "prompt_token_count"), into.body_usage().input);
  keep_count(count_at(json, "generation_token_count"), into.body_usage().output);
  read_reason(json, "stop_reason", into);
  return true;
}

bool read_mistral(Json json, AnswerBuilder& into) {
  const auto outputs = member(json, "outputs");
  const auto first = outputs ? element(*outputs, 0) : std::nullopt;
  if (!first) return false;
  into.add_text(string_at(*first, "text").value_or(""));
  read_reason(*first, "stop_reason", into);
  return true;
}

bool read_cohere(Json json, AnswerBuilder& into) {
  const auto event = string_at(json, "event_type");  // Command R's stream
  if (const auto generations = member(json, "generations")) {
    if (const auto first = element(*generations, 0)) {
      into.add_text(string_at(*first, "text").value_or(""));
      read_reason(*first, "finish_reason", into);
    }
    return true;
  }
  const auto text = string_at(json, "text");
  if (!event && !text && !member(json, "is_finished")) return false;
  if (text) into.add_text(*text);
  // "tool-calls-generation" and a whole answer have them at the top; "stream-end" repeats them in
  // `response`.
  for_each_at(json, "tool_calls", [&into](Json call) {
    const auto arguments = member(call, "parameters");
    into.add_tool_call(string_at(call, "name").value_or(""), arguments ? text_of(*arguments) : "");
  });
  for_each_at(json, "citations", [&into](Json) { into.add_citations(1); });
  read_reason(json, "finish_reason", into);
  return true;
}

bool read_ai21(Json json, AnswerBuilder& into) {
  const auto completions = member(json, "completions");
  const auto first = completions ? element(*completions, 0) : std::nullopt;
  if (!first) return false;
  if (const auto data = member(*first, "data")) {
    into.add_text(string_at(*data, "text").value_or(""));
  }
  if (const auto reason = member(*first, "finishReason")) read_reason(*reason, "reason", into);
  return true;
}

}  // namespace understudy::metrics::families
