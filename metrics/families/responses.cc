#include "metrics/families/families.h"
#include "metrics/json_reader.h"
#include "metrics/usage.h"

namespace understudy::metrics::families {

namespace {

void add_refusal(std::string_view text, AnswerBuilder& into) {
  into.add_text(text);
  into.set_stop_reason("refusal");
}

void read_part(Json part, AnswerBuilder& into) {
  const std::string_view type = string_at(part, "type").value_or("");
  if (type == "output_text") into.add_text(string_at(part, "text").value_or(""));
  if (type == "refusal") add_refusal(string_at(part, "refusal").value_or(""), into);
}

// What a model thought is told in a summary, in full, or sealed.
void read_reasoning(Json item, AnswerBuilder& into) {
  for (const std::string_view list : {"summary", "content"}) {
    for_each_at(item, list,
                [&into](Json piece) { into.add_thinking(string_at(piece, "text").value_or("")); });
  }
  into.add_thinking(string_at(item, "encrypted_content").value_or(""));
}

bool is_call(std::string_view type) {
  return type == "function_call" || type == "custom_tool_call";
}

void read_item(Json item, AnswerBuilder& into) {
  const std::string_view type = string_at(item, "type").value_or("");
  if (type == "message") {
    for_each_at(item, "content", [&into](Json part) { read_part(part, into); });
  } else if (is_call(type)) {
    const auto arguments = string_at(item, "arguments");
    into.add_tool_call(string_at(item, "name").value_or(""),
                       arguments ? *arguments : string_at(item, "input").value_or(""));
  } else if (type == "reasoning") {
    read_reasoning(item, into);
  }
}

void read_error(Json holder, AnswerBuilder& into) {
  into.fail(string_at(holder, "code").value_or(string_at(holder, "type").value_or("")),
            string_at(holder, "message").value_or(""));
}

// How it ended and what it used: the same in a whole object and in a stream's last event.
void read_end(Json response, AnswerBuilder& into) {
  if (const auto usage = member(response, "usage")) read_usage(*usage, into.body_usage());
  const std::string_view status = string_at(response, "status").value_or("");
  if (status == "incomplete") {
    const auto details = member(response, "incomplete_details");
    into.set_stop_reason(details ? string_at(*details, "reason").value_or(status) : status);
  } else if (status == "completed" && into.answer().stop_reason.empty()) {
    into.set_stop_reason(into.answer().tool_calls.empty() ? "end_turn" : "tool_use");
  } else if (status == "failed") {
    const auto error = member(response, "error");
    read_error(error.value_or(response), into);
  }
}

bool read_delta(std::string_view type, Json event, AnswerBuilder& into) {
  const auto delta = string_at(event, "delta");
  if (!delta) return false;
  const std::int64_t item = count_at(event, "output_index").value_or(0);
  if (type == "response.output_text.delta") {
    into.add_text(*delta);
  } else if (type == "response.refusal.delta") {
    add_refusal(*delta, into);
  } else if (type == "response.function_call_arguments.delta" ||
             type == "response.custom_tool_call_input.delta") {
    into.add_tool_arguments(item, *delta);
  } else if (type == "response.reasoning_summary_text.delta" ||
             type == "response.reasoning_text.delta") {
    into.add_thinking(*delta);
  }
  return true;
}

}  // namespace

bool read_response(Json body, AnswerBuilder& into) {
  const auto output = member(body, "output");
  if (!output || !output->is_array()) return false;
  for_each_at(body, "output", [&into](Json item) { read_item(item, into); });
  read_end(body, into);
  return true;
}

bool read_response_event(Json event, AnswerBuilder& into) {
  const std::string_view type = string_at(event, "type").value_or("");
  if (type == "error") {
    read_error(event, into);
    return true;
  }
  if (!type.starts_with("response.")) return false;
  if (read_delta(type, event, into)) return true;
  if (type == "response.output_item.added") {
    const auto item = member(event, "item");
    if (item && is_call(string_at(*item, "type").value_or(""))) {
      into.begin_tool_call(count_at(event, "output_index").value_or(0),
                           string_at(*item, "name").value_or(""));
    }
  } else if (type == "response.completed" || type == "response.incomplete" ||
             type == "response.failed") {
    if (const auto response = member(event, "response")) read_end(*response, into);
    into.set_finished();
  }
  return true;
}

}  // namespace understudy::metrics::families
