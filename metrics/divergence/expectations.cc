#include "metrics/divergence/expectations.h"

#include <algorithm>

#include "metrics/divergence/language.h"
#include "metrics/json_reader.h"

namespace understudy::metrics {

namespace {

using divergence::JsonSchema;
using routing::Operation;

std::optional<Json> at(Json json, std::initializer_list<std::string_view> path) {
  std::optional<Json> here = json;
  for (const std::string_view key : path) {
    if (here) here = member(*here, key);
  }
  return here;
}

// Converse carries schemas as JSON text, the others as JSON.
void demand_answer(std::optional<Json> schema, Expectations& into) {
  if (!schema) return;
  into.json = true;
  std::string_view text;
  JsonParser parser;
  if (schema->get(text) == simdjson::SUCCESS) schema = parser.parse(text);
  if (schema && is_object(*schema)) into.answer_schema.emplace(*schema);
}

void demand_tool(std::string_view name, std::optional<Json> schema, Expectations& into) {
  if (name.empty() || into.tools.size() >= Expectations::kMaxTools) return;
  DemandedTool tool{.name = std::string{name}, .arguments = std::nullopt};
  if (schema && is_object(*schema)) tool.arguments.emplace(*schema);
  into.tools.push_back(std::move(tool));
}

void read_converse(Json body, Expectations& into) {
  if (const auto config = member(body, "toolConfig")) {
    for_each_at(*config, "tools", [&into](Json tool) {
      const auto spec = member(tool, "toolSpec");
      if (!spec) return;
      demand_tool(string_at(*spec, "name").value_or(""), at(*spec, {"inputSchema", "json"}), into);
    });
  }
  demand_answer(at(body, {"outputConfig", "textFormat", "structure", "jsonSchema", "schema"}),
                into);
}

void read_model_tool(Json tool, Expectations& into) {
  const Json spec = member(tool, "function").value_or(tool);
  for (const std::string_view key : {"input_schema", "parameters"}) {
    const auto schema = member(spec, key);
    if (!schema) continue;
    return demand_tool(string_at(spec, "name").value_or(""), schema, into);
  }
  demand_tool(string_at(spec, "name").value_or(""), std::nullopt, into);
}

void read_model_body(Json body, Expectations& into) {
  for_each_at(body, "tools", [&into](Json tool) { read_model_tool(tool, into); });
  const auto format = at(body, {"response_format"});
  into.json = format && (string_at(*format, "type") == "json_object" ||
                         string_at(*format, "type") == "json_schema");
  demand_answer(at(body, {"output_config", "format", "schema"}), into);
  demand_answer(at(body, {"output_format", "schema"}), into);
  demand_answer(at(body, {"text", "format", "schema"}), into);
  demand_answer(at(body, {"response_format", "json_schema", "schema"}), into);
}

// Of a message, whose content is a text or a list of blocks.
std::string text_of_message(Json message, std::size_t max_bytes) {
  if (const auto text = string_at(message, "content"))
    return std::string{text->substr(0, max_bytes)};
  std::string joined;
  for_each_at(message, "content", [&](Json block) {
    const std::string_view text = string_at(block, "text").value_or("");
    joined += text.substr(0, max_bytes - joined.size());
  });
  return joined;
}

// A last message of the assistant's is the answer's own beginning: the answer goes on from there.
void read_messages(Json body, Expectations& into) {
  std::optional<Json> last, last_of_user;
  for (const std::string_view list : {"messages", "input"}) {
    for_each_at(body, list, [&](Json message) {
      last = message;
      if (string_at(message, "role") == "user") last_of_user = message;
    });
  }
  if (const auto text = string_at(body, "input"))
    into.question = text->substr(0, Expectations::kMaxQuestion);
  if (last && string_at(*last, "role") == "assistant") {
    into.prefill = text_of_message(*last, Expectations::kMaxPrefill);
  }
  if (last_of_user) {
    into.question = text_of_message(*last_of_user, Expectations::kMaxQuestion);
  }
}

}  // namespace

Expectations Expectations::from_request(Operation operation, std::string_view body) {
  JsonParser parser;
  return from_json(operation, parser.parse(body));
}

Expectations Expectations::from_json(Operation operation, const std::optional<Json>& json) {
  Expectations made;
  if (!json || !is_object(*json)) return made;
  if (operation == Operation::converse || operation == Operation::converse_stream) {
    read_converse(*json, made);
  } else {
    read_model_body(*json, made);
  }
  read_messages(*json, made);
  std::sort(made.tools.begin(), made.tools.end(),
            [](const DemandedTool& a, const DemandedTool& b) { return a.name < b.name; });
  return made;
}

std::string_view Expectations::language() const {
  if (!language_) language_ = divergence::language_of(question);
  return *language_;
}

const DemandedTool* Expectations::tool(std::string_view name) const noexcept {
  const auto found = std::lower_bound(
      tools.begin(), tools.end(), name,
      [](const DemandedTool& each, std::string_view wanted) { return each.name < wanted; });
  return found != tools.end() && found->name == name ? &*found : nullptr;
}

}  // namespace understudy::metrics
