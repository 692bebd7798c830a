#include "metrics/families/families.h"
#include "metrics/json_reader.h"
#include "metrics/usage.h"

namespace understudy::metrics::families {

namespace {

void read_reasoning(Json reasoning, AnswerBuilder& into) {
  into.note_block(BlockKind::thinking);
  // Whole answers nest it in reasoningText, streams do not.
  const Json holder = member(reasoning, "reasoningText").value_or(reasoning);
  if (const auto text = string_at(holder, "text")) into.add_thinking(*text);
  if (const auto hidden = string_at(reasoning, "redactedContent")) into.add_thinking(*hidden);
}

void read_block(Json block, AnswerBuilder& into) {
  if (const auto text = string_at(block, "text")) into.add_text(*text);
  if (const auto tool = member(block, "toolUse")) {
    const auto input = member(*tool, "input");
    into.add_tool_call(string_at(*tool, "name").value_or(""), input ? text_of(*input) : "");
  }
  if (const auto reasoning = member(block, "reasoningContent")) read_reasoning(*reasoning, into);
  // Cited text stands in blocks of its own kind.
  if (const auto cited = member(block, "citationsContent")) {
    for_each_at(*cited, "content", [&into](Json piece) {
      if (const auto text = string_at(piece, "text")) into.add_text(*text);
    });
    for_each_at(*cited, "citations", [&into](Json) { into.add_citations(1); });
  }
}

void read_delta(std::int64_t block, Json delta, AnswerBuilder& into) {
  if (const auto text = string_at(delta, "text")) into.add_text(*text);
  if (const auto tool = member(delta, "toolUse")) {
    into.add_tool_arguments(block, string_at(*tool, "input").value_or(""));
  }
  if (member(delta, "citation")) into.add_citations(1);
  if (const auto reasoning = member(delta, "reasoningContent")) read_reasoning(*reasoning, into);
}

}  // namespace

bool read_converse(Json body, AnswerBuilder& into) {
  const auto output = member(body, "output");
  const auto message = output ? member(*output, "message") : std::nullopt;
  if (!message || !member(*message, "content")) return false;
  for_each_at(*message, "content", [&into](Json block) { read_block(block, into); });
  if (const auto reason = string_at(body, "stopReason")) into.set_stop_reason(*reason);
  if (const auto usage = member(body, "usage")) read_usage(*usage, into.body_usage());
  return true;
}

bool read_converse_event(std::string_view type, Json payload, AnswerBuilder& into) {
  const std::int64_t block = count_at(payload, "contentBlockIndex").value_or(0);
  if (type == "contentBlockDelta") {
    into.note_block_index(block);
    if (const auto delta = member(payload, "delta")) read_delta(block, *delta, into);
  } else if (type == "contentBlockStart") {
    into.note_block_index(block);
    const auto start = member(payload, "start");
    const auto tool = start ? member(*start, "toolUse") : std::nullopt;
    if (tool) into.begin_tool_call(block, string_at(*tool, "name").value_or(""));
  } else if (type == "messageStop") {
    into.note_end();
    if (const auto reason = string_at(payload, "stopReason")) into.set_stop_reason(*reason);
    into.set_finished();
  } else if (type == "metadata") {
    if (const auto usage = member(payload, "usage")) read_usage(*usage, into.body_usage());
  } else if (type == "messageStart") {
    into.note_begin();
  } else {
    return type == "contentBlockStop";
  }
  return true;
}

bool read_nova_event(Json event, AnswerBuilder& into) {
  for (const std::string_view type : {"contentBlockDelta", "messageStart", "contentBlockStart",
                                      "contentBlockStop", "messageStop", "metadata"}) {
    if (const auto payload = member(event, type)) return read_converse_event(type, *payload, into);
  }
  return false;
}

}  // namespace understudy::metrics::families
