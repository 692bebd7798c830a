#include "tests/simulator/bodies.h"

#include <algorithm>

#include "tests/simulator/base64.h"
#include "tests/simulator/event_stream_encoder.h"
#include "tests/simulator/random.h"

namespace understudy::simulator {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

template <class Json>
std::string compact(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view name_of(StopReason reason) {
  switch (reason) {
    case StopReason::end_turn:
      return "end_turn";
    case StopReason::tool_use:
      return "tool_use";
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::stop_sequence:
      return "stop_sequence";
  }
  return "end_turn";
}

// All text of the answer, for the families whose body has no blocks.
std::string plain_text(const Answer& answer) {
  std::string out;
  for (const Block& block : answer.blocks) {
    if (block.kind == Block::Kind::text) out += block.text;
    if (block.kind == Block::Kind::tool_use) {
      out += compact(json{{"name", block.tool_name}, {"parameters", block.tool_input}});
    }
  }
  return out;
}

bool cut(const Answer& answer) {
  return answer.stop_reason == StopReason::max_tokens;
}

// ---- Converse ----

json converse_usage(const Usage& usage) {
  return {{"cacheReadInputTokenCount", usage.cache_read},
          {"cacheReadInputTokens", usage.cache_read},
          {"cacheWriteInputTokenCount", usage.cache_write},
          {"cacheWriteInputTokens", usage.cache_write},
          {"inputTokens", usage.input},
          {"outputTokens", usage.output},
          {"serverToolUsage", json::object()},
          {"totalTokens", usage.input + usage.output + usage.cache_read + usage.cache_write}};
}

json converse_block(const Block& block) {
  switch (block.kind) {
    case Block::Kind::thinking:
      return {{"reasoningContent",
               {{"reasoningText", {{"signature", block.signature}, {"text", block.text}}}}}};
    case Block::Kind::tool_use:
      return {{"toolUse",
               {{"input", block.tool_input},
                {"name", block.tool_name},
                {"toolUseId", "tooluse_" + block.tool_id}}}};
    case Block::Kind::text:
      break;
  }
  return {{"text", block.text}};
}

class ConverseStreamWriter {
 public:
  explicit ConverseStreamWriter(const Answer& answer, const RenderContext& context)
      : answer_(answer), context_(context), random_(context.padding_seed) {}

  std::vector<StreamEvent> write() {
    add("messageStart", {{"role", "assistant"}}, 0);
    for (index_ = 0; index_ < answer_.blocks.size(); ++index_) write_block(answer_.blocks[index_]);
    add("messageStop", {{"stopReason", name_of(answer_.stop_reason)}}, 0);
    add("metadata",
        {{"metrics", {{"latencyMs", context_.latency_ms}}},
         {"usage", converse_usage(answer_.usage)}},
        0);
    return std::move(events_);
  }

 private:
  void add(std::string_view type, json payload, double tokens) {
    payload["p"] = padding(random_.next());
    events_.push_back({encode_event(type, compact(payload)), tokens * answer_.per_token_ms});
  }

  void delta(json value, double tokens) {
    add("contentBlockDelta", {{"contentBlockIndex", index_}, {"delta", std::move(value)}}, tokens);
  }

  void write_block(const Block& block) {
    const std::uint64_t seed = hash(context_.padding_seed, std::to_string(index_));
    if (block.kind == Block::Kind::tool_use) {
      add("contentBlockStart",
          {{"contentBlockIndex", index_},
           {"start",
            {{"toolUse", {{"name", block.tool_name}, {"toolUseId", "tooluse_" + block.tool_id}}}}}},
          0);
      delta({{"toolUse", {{"input", ""}}}}, 0);
      for (const Piece& piece : pieces_of(compact(block.tool_input), seed)) {
        delta({{"toolUse", {{"input", piece.text}}}}, piece.tokens);
      }
    } else if (block.kind == Block::Kind::thinking) {
      for (const Piece& piece : pieces_of(block.text, seed)) {
        delta({{"reasoningContent", {{"text", piece.text}}}}, piece.tokens);
      }
      delta({{"reasoningContent", {{"signature", block.signature}}}}, 0);
    } else {
      for (const Piece& piece : pieces_of(block.text, seed))
        delta({{"text", piece.text}}, piece.tokens);
    }
    add("contentBlockStop", {{"contentBlockIndex", index_}}, 0);
  }

  const Answer& answer_;
  const RenderContext& context_;
  Random random_;
  std::size_t index_ = 0;
  std::vector<StreamEvent> events_;
};

// ---- InvokeModel, whole ----

ordered_json anthropic_input_usage(const Usage& usage) {
  return {{"input_tokens", usage.input},
          {"cache_creation_input_tokens", usage.cache_write},
          {"cache_read_input_tokens", usage.cache_read},
          {"cache_creation",
           {{"ephemeral_5m_input_tokens", usage.cache_write}, {"ephemeral_1h_input_tokens", 0}}}};
}

ordered_json anthropic_block(const Block& block) {
  switch (block.kind) {
    case Block::Kind::thinking:
      return {{"type", "thinking"}, {"thinking", block.text}, {"signature", block.signature}};
    case Block::Kind::tool_use:
      return {{"type", "tool_use"},
              {"id", "toolu_bdrk_01" + block.tool_id},
              {"name", block.tool_name},
              {"input", ordered_json(block.tool_input)}};
    case Block::Kind::text:
      break;
  }
  return {{"type", "text"}, {"text", block.text}};
}

// Anthropic's own name of the model, as its answers carry it: no vendor, no version.
std::string anthropic_model_name(std::string_view id) {
  if (id.starts_with("anthropic.")) id.remove_prefix(10);
  const std::size_t version = id.rfind("-v");
  if (version != std::string_view::npos && version + 2 < id.size() && id[version + 2] >= '0' &&
      id[version + 2] <= '9') {
    id = id.substr(0, version);
  }
  return std::string{id};
}

ordered_json anthropic_message(const Answer& answer, const RenderContext& context,
                               bool started_only) {
  ordered_json content = ordered_json::array();
  ordered_json usage = anthropic_input_usage(answer.usage);
  ordered_json stop_reason;
  ordered_json stop_sequence;
  if (!started_only) {
    for (const Block& block : answer.blocks) content.push_back(anthropic_block(block));
    stop_reason = name_of(answer.stop_reason);
    if (answer.stop_reason == StopReason::stop_sequence) stop_sequence = answer.stop_sequence;
  }
  usage["output_tokens"] = started_only ? 1 : answer.usage.output;
  return {{"model", anthropic_model_name(context.model_id)},
          {"id", "msg_bdrk_" + answer.id},
          {"type", "message"},
          {"role", "assistant"},
          {"content", std::move(content)},
          {"stop_reason", std::move(stop_reason)},
          {"stop_sequence", std::move(stop_sequence)},
          {"usage", std::move(usage)}};
}

ordered_json nova_usage(const Usage& usage) {
  return {{"inputTokens", usage.input},
          {"outputTokens", usage.output},
          {"totalTokens", usage.input + usage.output + usage.cache_read + usage.cache_write},
          {"cacheReadInputTokenCount", usage.cache_read},
          {"cacheWriteInputTokenCount", usage.cache_write}};
}

ordered_json nova_block(const Block& block) {
  if (block.kind != Block::Kind::tool_use) return {{"text", block.text}};
  return {{"toolUse",
           {{"name", block.tool_name},
            {"toolUseId", block.tool_id},
            {"input", ordered_json(block.tool_input)}}}};
}

ordered_json nova_body(const Answer& answer) {
  ordered_json content = ordered_json::array();
  for (const Block& block : answer.blocks) {
    if (block.kind != Block::Kind::thinking) content.push_back(nova_block(block));
  }
  return {{"output", {{"message", {{"content", std::move(content)}, {"role", "assistant"}}}}},
          {"stopReason", name_of(answer.stop_reason)},
          {"usage", nova_usage(answer.usage)}};
}

// ---- InvokeModel, streamed: the inner objects; the caller adds the metrics to the last ----

using Inner = StreamObject;

std::vector<Inner> nova_inner(const Answer& answer, const RenderContext& context) {
  std::vector<Inner> out;
  out.push_back({{{"messageStart", {{"role", "assistant"}}}}, 0});
  std::size_t index = 0;
  for (const Block& block : answer.blocks) {
    if (block.kind == Block::Kind::thinking) continue;
    const bool tool = block.kind == Block::Kind::tool_use;
    if (tool) {
      out.push_back(
          {{{"contentBlockStart",
             {{"start", {{"toolUse", {{"name", block.tool_name}, {"toolUseId", block.tool_id}}}}},
              {"contentBlockIndex", index}}}},
           0});
    }
    const std::uint64_t seed = hash(context.padding_seed, std::to_string(index));
    for (const Piece& piece : pieces_of(tool ? compact(block.tool_input) : block.text, seed)) {
      ordered_json delta = tool ? ordered_json{{"toolUse", {{"input", piece.text}}}}
                                : ordered_json{{"text", piece.text}};
      out.push_back(
          {{{"contentBlockDelta", {{"delta", std::move(delta)}, {"contentBlockIndex", index}}}},
           piece.tokens});
    }
    out.push_back({{{"contentBlockStop", {{"contentBlockIndex", index}}}}, 0});
    ++index;
  }
  out.push_back({{{"messageStop", {{"stopReason", name_of(answer.stop_reason)}}}}, 0});
  ordered_json usage = nova_usage(answer.usage);
  usage.erase("totalTokens");  // absent from recorded streams
  out.push_back({{{"metadata",
                   {{"usage", std::move(usage)},
                    {"metrics", ordered_json::object()},
                    {"trace", ordered_json::object()}}}},
                 0});
  return out;
}

// Llama, Mistral and Titan stream plain text in like objects: `write(piece, first, last)` makes
// one.
template <class Write>
std::vector<Inner> text_inner(const Answer& answer, const RenderContext& context, Write write) {
  std::vector<Piece> pieces = pieces_of(plain_text(answer), context.padding_seed);
  pieces.push_back({"", 0});
  std::vector<Inner> out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    out.push_back({write(pieces[i].text, i == 0, i + 1 == pieces.size()), pieces[i].tokens});
  }
  return out;
}

std::vector<Inner> llama_inner(const Answer& answer, const RenderContext& context) {
  std::uint64_t generated = 0;
  return text_inner(
      answer, context, [&](const std::string& text, bool first, bool last) -> ordered_json {
        generated = last ? answer.usage.output : generated + count_tokens(text.size(), 1);
        ordered_json prompt_tokens;
        if (first) prompt_tokens = answer.usage.input;
        ordered_json stop;
        if (last) stop = cut(answer) ? "length" : "stop";
        return {{"generation", text},
                {"prompt_token_count", prompt_tokens},
                {"generation_token_count", generated},
                {"stop_reason", stop}};
      });
}

std::vector<Inner> mistral_inner(const Answer& answer, const RenderContext& context) {
  return text_inner(answer, context, [&](const std::string& text, bool, bool last) -> ordered_json {
    ordered_json stop;
    if (last) stop = cut(answer) ? "length" : "stop";
    ordered_json outputs = ordered_json::array();
    outputs.push_back(ordered_json{{"text", text}, {"stop_reason", stop}});
    return {{"outputs", std::move(outputs)}};
  });
}

std::vector<Inner> titan_inner(const Answer& answer, const RenderContext& context) {
  return text_inner(answer, context, [&](const std::string& text, bool, bool last) -> ordered_json {
    ordered_json total;
    ordered_json reason;
    if (last) {
      total = answer.usage.output;
      reason = cut(answer) ? "LENGTH" : "FINISH";
    }
    return {{"outputText", text},
            {"index", 0},
            {"totalOutputTextTokenCount", total},
            {"completionReason", reason},
            {"inputTextTokenCount", answer.usage.input}};
  });
}

std::vector<Inner> inner_of(Family family, const Answer& answer, const RenderContext& context) {
  switch (family) {
    case Family::nova:
      return nova_inner(answer, context);
    case Family::llama:
      return llama_inner(answer, context);
    case Family::mistral:
      return mistral_inner(answer, context);
    case Family::titan:
      return titan_inner(answer, context);
    case Family::anthropic:
    case Family::echo:
      break;
  }
  return anthropic_stream(answer, context);
}

bool caches(Family family) {
  return family == Family::anthropic || family == Family::nova;
}

ordered_json invocation_metrics(Family family, const Answer& answer, const RenderContext& context) {
  ordered_json metrics{{"inputTokenCount", answer.usage.input},
                       {"outputTokenCount", answer.usage.output},
                       {"invocationLatency", context.latency_ms},
                       {"firstByteLatency", context.first_byte_ms}};
  if (caches(family)) {
    metrics["cacheReadInputTokenCount"] = answer.usage.cache_read;
    metrics["cacheWriteInputTokenCount"] = answer.usage.cache_write;
  }
  return metrics;
}

}  // namespace

std::vector<Piece> pieces_of(std::string_view text, std::uint64_t seed) {
  std::vector<Piece> pieces;
  Random random{seed};
  while (!text.empty()) {
    const std::uint64_t tokens = 1 + random.below(6);
    std::size_t size = std::min<std::size_t>(text.size(), tokens * 4);
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0u) == 0x80u) ++size;
    pieces.push_back({std::string{text.substr(0, size)}, static_cast<double>(tokens)});
    text.remove_prefix(size);
  }
  return pieces;
}

std::vector<StreamObject> anthropic_stream(const Answer& answer, const RenderContext& context) {
  std::vector<StreamObject> out;
  out.push_back(
      {{{"type", "message_start"}, {"message", anthropic_message(answer, context, true)}}, 0});
  for (std::size_t i = 0; i < answer.blocks.size(); ++i) {
    const Block& block = answer.blocks[i];
    const std::uint64_t seed = hash(context.padding_seed, std::to_string(i));
    ordered_json start = anthropic_block(block);
    const bool tool = block.kind == Block::Kind::tool_use;
    const bool thinking = block.kind == Block::Kind::thinking;
    if (tool) start["input"] = ordered_json::object();
    if (thinking) start["signature"] = "";
    if (!tool) start[thinking ? "thinking" : "text"] = "";
    out.push_back(
        {{{"type", "content_block_start"}, {"index", i}, {"content_block", std::move(start)}}, 0});
    const auto delta = [&](const char* type, const char* key, const std::string& value,
                           double tokens) {
      out.push_back({{{"type", "content_block_delta"},
                      {"index", i},
                      {"delta", {{"type", type}, {key, value}}}},
                     tokens});
    };
    if (tool) delta("input_json_delta", "partial_json", "", 0);
    for (const Piece& piece : pieces_of(tool ? compact(block.tool_input) : block.text, seed)) {
      if (tool) delta("input_json_delta", "partial_json", piece.text, piece.tokens);
      if (thinking) delta("thinking_delta", "thinking", piece.text, piece.tokens);
      if (!tool && !thinking) delta("text_delta", "text", piece.text, piece.tokens);
    }
    if (thinking) delta("signature_delta", "signature", block.signature, 0);
    out.push_back({{{"type", "content_block_stop"}, {"index", i}}, 0});
  }
  ordered_json stop_sequence;
  if (answer.stop_reason == StopReason::stop_sequence) stop_sequence = answer.stop_sequence;
  out.push_back(
      {{{"type", "message_delta"},
        {"delta", {{"stop_reason", name_of(answer.stop_reason)}, {"stop_sequence", stop_sequence}}},
        {"usage", {{"output_tokens", answer.usage.output}}}},
       0});
  out.push_back({{{"type", "message_stop"}}, 0});
  return out;
}

std::string converse_body(const Answer& answer, const RenderContext& context) {
  json content = json::array();
  for (const Block& block : answer.blocks) content.push_back(converse_block(block));
  return compact(
      json{{"metrics", {{"latencyMs", context.latency_ms}}},
           {"output", {{"message", {{"content", std::move(content)}, {"role", "assistant"}}}}},
           {"stopReason", name_of(answer.stop_reason)},
           {"usage", converse_usage(answer.usage)}});
}

std::vector<StreamEvent> converse_events(const Answer& answer, const RenderContext& context) {
  return ConverseStreamWriter{answer, context}.write();
}

std::string invoke_body(Family family, const Answer& answer, const RenderContext& context) {
  switch (family) {
    case Family::nova:
      return compact(nova_body(answer));
    case Family::llama:
      return compact(ordered_json{{"generation", plain_text(answer)},
                                  {"prompt_token_count", answer.usage.input},
                                  {"generation_token_count", answer.usage.output},
                                  {"stop_reason", cut(answer) ? "length" : "stop"}});
    case Family::mistral: {
      ordered_json outputs = ordered_json::array();
      outputs.push_back(ordered_json{{"text", plain_text(answer)},
                                     {"stop_reason", cut(answer) ? "length" : "stop"}});
      return compact(ordered_json{{"outputs", std::move(outputs)}});
    }
    case Family::titan: {
      ordered_json results = ordered_json::array();
      results.push_back(ordered_json{{"tokenCount", answer.usage.output},
                                     {"outputText", plain_text(answer)},
                                     {"completionReason", cut(answer) ? "LENGTH" : "FINISH"}});
      return compact(ordered_json{{"inputTextTokenCount", answer.usage.input},
                                  {"results", std::move(results)}});
    }
    case Family::anthropic:
    case Family::echo:
      break;
  }
  return compact(anthropic_message(answer, context, false));
}

std::string chunk_event(std::string_view inner, std::uint64_t padding_draw) {
  std::string payload = "{\"bytes\":\"";
  payload.append(base64_encode(inner))
      .append("\",\"p\":\"")
      .append(padding(padding_draw))
      .append("\"}");
  return encode_event("chunk", payload);
}

std::vector<StreamEvent> invoke_events(Family family, const Answer& answer,
                                       const RenderContext& context) {
  std::vector<Inner> inner = inner_of(family, answer, context);
  inner.back().value["amazon-bedrock-invocationMetrics"] =
      invocation_metrics(family, answer, context);
  std::vector<StreamEvent> events;
  events.reserve(inner.size());
  Random random{context.padding_seed};
  for (const Inner& item : inner) {
    events.push_back(
        {chunk_event(compact(item.value), random.next()), item.tokens * answer.per_token_ms});
  }
  return events;
}

}  // namespace understudy::simulator
