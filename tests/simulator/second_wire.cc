#include "tests/simulator/second_wire.h"

#include <utility>

#include "tests/simulator/event_sources.h"
#include "tests/simulator/random.h"

namespace understudy::simulator {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kCreated = 1'763'700'000;  // of everything: equal requests get equal bytes

std::string compact(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string sse(std::string_view type, std::string_view data) {
  std::string out;
  if (!type.empty()) out.append("event: ").append(type).push_back('\n');
  return out.append("data: ").append(data).append("\n\n");
}

bool asks_for(const json& body, const char* key) {
  const auto found = body.find(key);
  return found != body.end() && *found == true;
}

Reply sse_reply(std::vector<StreamEvent> events, std::string error_event) {
  Reply reply;
  reply.headers = {{"Content-Type", "text/event-stream; charset=utf-8"},
                   {"Cache-Control", "no-cache"}};
  reply.events = from_events(std::move(events));
  reply.error_event = std::move(error_event);
  return reply;
}

// ---- Anthropic Messages ----

Reply messages_reply(const json& body, const Answer& answer, const RenderContext& context) {
  if (!asks_for(body, "stream")) return json_reply(invoke_body(Family::anthropic, answer, context));
  std::vector<StreamEvent> events;
  for (StreamObject& object : anthropic_stream(answer, context)) {
    const std::string type = object.value["type"];
    events.push_back({sse(type, compact(object.value)), object.tokens * answer.per_token_ms});
    if (type == "message_start") events.push_back({sse("ping", R"({"type": "ping"})"), 0});
  }
  return sse_reply(
      std::move(events),
      sse("error",
          R"({"type":"error","error":{"type":"overloaded_error","message":"simulated"}})"));
}

// ---- Chat Completions ----

const char* finish_reason(StopReason reason) {
  switch (reason) {
    case StopReason::tool_use:
      return "tool_calls";
    case StopReason::max_tokens:
      return "length";
    default:
      return "stop";
  }
}

std::uint64_t prompt_tokens(const Usage& usage) {
  return usage.input + usage.cache_read + usage.cache_write;
}

ordered_json chat_usage(const Usage& usage) {
  return {{"prompt_tokens", prompt_tokens(usage)},
          {"completion_tokens", usage.output},
          {"total_tokens", prompt_tokens(usage) + usage.output},
          {"prompt_tokens_details", {{"cached_tokens", usage.cache_read}}},
          {"completion_tokens_details", {{"reasoning_tokens", 0}}}};
}

ordered_json chat_call(const Block& block, const std::string& arguments) {
  return {{"id", "call_" + block.tool_id},
          {"type", "function"},
          {"function", {{"name", block.tool_name}, {"arguments", arguments}}}};
}

ordered_json chat_message(const Answer& answer) {
  ordered_json message{{"role", "assistant"}, {"content", nullptr}};
  std::string text;
  for (const Block& block : answer.blocks) {
    if (block.kind == Block::Kind::thinking) message["reasoning"] = block.text;
    if (block.kind == Block::Kind::text) text += block.text;
    if (block.kind == Block::Kind::tool_use) {
      message["tool_calls"].push_back(chat_call(block, compact(block.tool_input)));
    }
  }
  if (!text.empty() || !message.contains("tool_calls")) message["content"] = text;
  return message;
}

std::string chat_body(const Answer& answer, const RenderContext& context) {
  ordered_json choices = ordered_json::array();
  choices.push_back(ordered_json{{"index", 0},
                                 {"message", chat_message(answer)},
                                 {"logprobs", nullptr},
                                 {"finish_reason", finish_reason(answer.stop_reason)}});
  return compact({{"id", "chatcmpl-" + answer.id},
                  {"object", "chat.completion"},
                  {"created", kCreated},
                  {"model", context.model_id},
                  {"choices", std::move(choices)},
                  {"usage", chat_usage(answer.usage)}});
}

class ChatStreamWriter {
 public:
  ChatStreamWriter(const Answer& answer, const RenderContext& context, bool with_usage)
      : answer_(answer), context_(context), with_usage_(with_usage) {}

  std::vector<StreamEvent> write() {
    delta({{"role", "assistant"}, {"content", ""}}, 0);
    std::size_t call = 0;
    for (std::size_t i = 0; i < answer_.blocks.size(); ++i) {
      write_block(answer_.blocks[i], hash(context_.padding_seed, std::to_string(i)), call);
    }
    choice(ordered_json::object(), finish_reason(answer_.stop_reason), 0);
    if (with_usage_) add(ordered_json::array(), chat_usage(answer_.usage), 0);
    events_.push_back({sse("", "[DONE]"), 0});
    return std::move(events_);
  }

 private:
  void write_block(const Block& block, std::uint64_t seed, std::size_t& call) {
    if (block.kind != Block::Kind::tool_use) {
      const char* key = block.kind == Block::Kind::thinking ? "reasoning" : "content";
      for (const Piece& piece : pieces_of(block.text, seed))
        delta({{key, piece.text}}, piece.tokens);
      return;
    }
    ordered_json begun = chat_call(block, "");
    begun["index"] = call;
    delta({{"tool_calls", ordered_json::array({std::move(begun)})}}, 0);
    for (const Piece& piece : pieces_of(compact(block.tool_input), seed)) {
      ordered_json more{{"index", call}, {"function", {{"arguments", piece.text}}}};
      delta({{"tool_calls", ordered_json::array({std::move(more)})}}, piece.tokens);
    }
    ++call;
  }

  void delta(ordered_json value, double tokens) { choice(std::move(value), nullptr, tokens); }

  void choice(ordered_json value, ordered_json reason, double tokens) {
    ordered_json one{{"index", 0},
                     {"delta", std::move(value)},
                     {"logprobs", nullptr},
                     {"finish_reason", std::move(reason)}};
    add(ordered_json::array({std::move(one)}), nullptr, tokens);
  }

  void add(ordered_json choices, ordered_json usage, double tokens) {
    ordered_json chunk{{"id", "chatcmpl-" + answer_.id},
                       {"object", "chat.completion.chunk"},
                       {"created", kCreated},
                       {"model", context_.model_id},
                       {"choices", std::move(choices)}};
    if (with_usage_) chunk["usage"] = std::move(usage);
    events_.push_back({sse("", compact(chunk)), tokens * answer_.per_token_ms});
  }

  const Answer& answer_;
  const RenderContext& context_;
  const bool with_usage_;
  std::vector<StreamEvent> events_;
};

Reply chat_reply(const json& body, const Answer& answer, const RenderContext& context) {
  if (!asks_for(body, "stream")) return json_reply(chat_body(answer, context));
  const json options = body.value("stream_options", json::object());
  const bool with_usage = options.is_object() && asks_for(options, "include_usage");
  return sse_reply(
      ChatStreamWriter{answer, context, with_usage}.write(),
      sse("", R"({"error":{"code":"server_error","message":"simulated","type":"server_error"}})"));
}

// ---- Responses ----

ordered_json response_item(const Answer& answer, std::size_t index, bool begun_only) {
  const Block& block = answer.blocks[index];
  const std::string id = answer.id + std::to_string(index);
  const char* status = begun_only ? "in_progress" : "completed";
  if (block.kind == Block::Kind::tool_use) {
    return {{"type", "function_call"},
            {"id", "fc_" + id},
            {"call_id", "call_" + block.tool_id},
            {"name", block.tool_name},
            {"arguments", begun_only ? "" : compact(block.tool_input)},
            {"status", status}};
  }
  ordered_json parts = ordered_json::array();
  if (block.kind == Block::Kind::thinking) {
    if (!begun_only) parts.push_back(ordered_json{{"type", "summary_text"}, {"text", block.text}});
    return {{"type", "reasoning"}, {"id", "rs_" + id}, {"summary", std::move(parts)}};
  }
  if (!begun_only) {
    parts.push_back(ordered_json{
        {"type", "output_text"}, {"text", block.text}, {"annotations", ordered_json::array()}});
  }
  return {{"type", "message"},
          {"id", "msg_" + id},
          {"role", "assistant"},
          {"status", status},
          {"content", std::move(parts)}};
}

ordered_json response_object(const Answer& answer, const RenderContext& context, bool begun_only) {
  const bool cut = answer.stop_reason == StopReason::max_tokens;
  ordered_json output = ordered_json::array();
  ordered_json usage;
  ordered_json incomplete;
  if (!begun_only) {
    for (std::size_t i = 0; i < answer.blocks.size(); ++i) {
      output.push_back(response_item(answer, i, false));
    }
    usage = {{"input_tokens", prompt_tokens(answer.usage)},
             {"input_tokens_details", {{"cached_tokens", answer.usage.cache_read}}},
             {"output_tokens", answer.usage.output},
             {"output_tokens_details", {{"reasoning_tokens", 0}}},
             {"total_tokens", prompt_tokens(answer.usage) + answer.usage.output}};
    if (cut) incomplete = {{"reason", "max_output_tokens"}};
  }
  return {{"id", "resp_" + answer.id},
          {"object", "response"},
          {"created_at", kCreated},
          {"status", begun_only ? "in_progress" : (cut ? "incomplete" : "completed")},
          {"error", nullptr},
          {"incomplete_details", std::move(incomplete)},
          {"instructions", nullptr},
          {"metadata", ordered_json::object()},
          {"model", context.model_id},
          {"output", std::move(output)},
          {"parallel_tool_calls", true},
          {"temperature", nullptr},
          {"tool_choice", "auto"},
          {"tools", ordered_json::array()},
          {"top_p", nullptr},
          {"usage", std::move(usage)}};
}

class ResponseStreamWriter {
 public:
  ResponseStreamWriter(const Answer& answer, const RenderContext& context)
      : answer_(answer), context_(context) {}

  std::vector<StreamEvent> write() {
    const ordered_json begun = response_object(answer_, context_, true);
    add("response.created", {{"response", begun}});
    add("response.in_progress", {{"response", begun}});
    for (std::size_t i = 0; i < answer_.blocks.size(); ++i) write_item(i);
    const bool cut = answer_.stop_reason == StopReason::max_tokens;
    add(cut ? "response.incomplete" : "response.completed",
        {{"response", response_object(answer_, context_, false)}});
    return std::move(events_);
  }

 private:
  void write_item(std::size_t index) {
    const Block& block = answer_.blocks[index];
    ordered_json whole = response_item(answer_, index, false);
    const std::string id = whole["id"];
    const ordered_json place{{"item_id", id}, {"output_index", index}};
    add("response.output_item.added",
        {{"output_index", index}, {"item", response_item(answer_, index, true)}});
    const std::uint64_t seed = hash(context_.padding_seed, std::to_string(index));
    if (block.kind == Block::Kind::tool_use) {
      const std::string arguments = compact(block.tool_input);
      for (const Piece& piece : pieces_of(arguments, seed))
        delta("response.function_call_arguments.delta", place, piece);
      add("response.function_call_arguments.done", with(place, "arguments", arguments));
    } else {
      const bool thinks = block.kind == Block::Kind::thinking;
      const ordered_json part_place = with(place, thinks ? "summary_index" : "content_index", 0);
      const std::string stem = thinks ? "response.reasoning_summary" : "response.content";
      const std::string text = thinks ? "response.reasoning_summary_text" : "response.output_text";
      ordered_json part{{"type", thinks ? "summary_text" : "output_text"}, {"text", ""}};
      if (!thinks) part["annotations"] = ordered_json::array();
      add(stem + "_part.added", with(part_place, "part", part));
      for (const Piece& piece : pieces_of(block.text, seed))
        delta(text + ".delta", part_place, piece);
      part["text"] = block.text;
      add(text + ".done", with(part_place, "text", block.text));
      add(stem + "_part.done", with(part_place, "part", part));
    }
    add("response.output_item.done", {{"output_index", index}, {"item", std::move(whole)}});
  }

  static ordered_json with(ordered_json object, const char* key, ordered_json value) {
    object[key] = std::move(value);
    return object;
  }

  void delta(const std::string& type, const ordered_json& place, const Piece& piece) {
    ordered_json fields = with(place, "delta", piece.text);
    if (type == "response.output_text.delta") fields["logprobs"] = ordered_json::array();
    add(type, std::move(fields), piece.tokens);
  }

  void add(const std::string& type, ordered_json fields, double tokens = 0) {
    ordered_json event{{"type", type}, {"sequence_number", sequence_++}};
    event.update(fields);
    events_.push_back({sse(type, compact(event)), tokens * answer_.per_token_ms});
  }

  const Answer& answer_;
  const RenderContext& context_;
  std::uint64_t sequence_ = 0;
  std::vector<StreamEvent> events_;
};

Reply responses_reply(const json& body, const Answer& answer, const RenderContext& context) {
  if (!asks_for(body, "stream"))
    return json_reply(compact(response_object(answer, context, false)));
  return sse_reply(
      ResponseStreamWriter{answer, context}.write(),
      sse("error",
          R"({"type":"error","code":"server_error","message":"simulated","param":null,"sequence_number":9})"));
}

}  // namespace

bool names_model_in_body(Operation operation) {
  return wire_of(operation) != Wire::bedrock && operation != Operation::list_models;
}

std::string model_in(const json& body) {
  if (!body.is_object()) return {};
  const auto model = body.find("model");
  return model != body.end() && model->is_string() ? model->get<std::string>() : std::string{};
}

PromptResult read_second_wire(Operation operation, const json& body) {
  switch (operation) {
    case Operation::chat_completions:
      return read_chat(body);
    case Operation::responses:
      return read_responses(body);
    case Operation::messages:
      if (!body.contains("max_tokens"))
        return {.prompt = {}, .problem = "max_tokens: Field required"};
      return read_messages(body);
    default:
      return read_messages(body);  // to count it
  }
}

Reply second_wire_reply(Operation operation, const json& body, const Answer& answer,
                        const RenderContext& context) {
  switch (operation) {
    case Operation::chat_completions:
      return chat_reply(body, answer, context);
    case Operation::responses:
      return responses_reply(body, answer, context);
    default:
      return messages_reply(body, answer, context);
  }
}

Reply list_models(const Models& models) {
  ordered_json data = ordered_json::array();
  for (const auto& model : models) {
    data.push_back(ordered_json{{"id", model->ids.front()},
                                {"object", "model"},
                                {"created", kCreated},
                                {"owned_by", model->provider}});
  }
  return json_reply(compact({{"object", "list"}, {"data", std::move(data)}}));
}

}  // namespace understudy::simulator
