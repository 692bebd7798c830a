#include "metrics/families/families.h"
#include "metrics/json_reader.h"
#include "metrics/usage.h"

namespace understudy::metrics::families {

namespace {

void read_message(Json message, AnswerBuilder& into) {
  for_each_at(message, "content", [&into](Json block) {
    const std::string_view type = string_at(block, "type").value_or("");
    if (type == "text") {
      into.add_text(string_at(block, "text").value_or(""));
      for_each_at(block, "citations", [&into](Json) { into.add_citations(1); });
    } else if (type == "tool_use") {
      const auto input = member(block, "input");
      into.add_tool_call(string_at(block, "name").value_or(""), input ? text_of(*input) : "");
    } else if (type == "thinking") {
      into.note_block(BlockKind::thinking);
      into.add_thinking(string_at(block, "thinking").value_or(""));
    } else if (type == "redacted_thinking") {
      into.add_thinking(string_at(block, "data").value_or(""));
    }
  });
  if (const auto reason = string_at(message, "stop_reason")) into.set_stop_reason(*reason);
  if (const auto usage = member(message, "usage")) read_usage(*usage, into.body_usage());
}

void read_delta(std::int64_t block, Json delta, AnswerBuilder& into) {
  if (const auto text = string_at(delta, "text")) into.add_text(*text);
  if (const auto thinking = string_at(delta, "thinking")) into.add_thinking(*thinking);
  if (member(delta, "citation")) into.add_citations(1);
  if (const auto json = string_at(delta, "partial_json")) into.add_tool_arguments(block, *json);
}

bool read_event(std::string_view type, Json event, AnswerBuilder& into) {
  const std::int64_t block = count_at(event, "index").value_or(0);
  if (type == "message_start") {
    into.note_begin();
    if (const auto message = member(event, "message")) read_message(*message, into);
  } else if (type == "content_block_start") {
    into.note_block_index(block);
    const auto started = member(event, "content_block");
    if (started && string_at(*started, "type") == "thinking") into.note_block(BlockKind::thinking);
    if (started && string_at(*started, "type") == "tool_use") {
      into.begin_tool_call(block, string_at(*started, "name").value_or(""));
    }
  } else if (type == "content_block_delta") {
    into.note_block_index(block);
    if (const auto delta = member(event, "delta")) read_delta(block, *delta, into);
  } else if (type == "message_delta") {
    const auto delta = member(event, "delta");
    const auto reason = delta ? string_at(*delta, "stop_reason") : std::nullopt;
    if (reason) into.set_stop_reason(*reason);
    if (const auto usage = member(event, "usage")) read_usage(*usage, into.body_usage());
  } else if (type == "message_stop") {
    into.note_end();
    into.set_finished();
  } else if (type == "error") {
    const auto error = member(event, "error");
    into.fail(error ? string_at(*error, "type").value_or("") : "",
              error ? string_at(*error, "message").value_or("") : "");
  } else {
    return type == "content_block_stop" || type == "ping";
  }
  return true;
}

}  // namespace

bool read_anthropic(Json json, AnswerBuilder& into) {
  if (const auto type = string_at(json, "type")) {
    if (*type != "message") return read_event(*type, json, into);
    if (!member(json, "content")) return false;
    read_message(json, into);
    return true;
  }
  if (const auto completion = string_at(json, "completion")) {  // v2 text
    into.add_text(*completion);
    if (const auto reason = string_at(json, "stop_reason")) {
      into.set_stop_reason(*reason);
      into.set_finished();
    }
    return true;
  }
  return false;
}

}  // namespace understudy::metrics::families
