#include "tests/simulator/prompt.h"

#include <algorithm>
#include <cmath>

#include "tests/simulator/random.h"

namespace understudy::simulator {
namespace {

using nlohmann::json;

bool deeper_than(std::string_view text, int limit) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > limit) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// The member, or null: asking a non-object is an answer too.
const json& member(const json& value, const char* key) {
  static const json null;
  if (!value.is_object()) return null;
  const auto found = value.find(key);
  return found == value.end() ? null : *found;
}

const json& member(const json& value, const char* key, const char* inner) {
  return member(member(value, key), inner);
}

std::string_view text_of(const json& value) {
  return value.is_string() ? std::string_view{value.get_ref<const std::string&>()}
                           : std::string_view{};
}

bool present(const json& value) {
  return !value.is_null();
}

std::optional<std::uint64_t> positive(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_float() && value.get<double>() >= 1 && value.get<double>() < 1e15) {
    return static_cast<std::uint64_t>(value.get<double>());
  }
  return std::nullopt;
}

class Reader {
 public:
  void say(std::string_view text) {
    prompt_.fingerprint = hash(prompt_.fingerprint, text);
    prompt_.characters += text.size();
  }

  void cache_point() {
    prompt_.cached_characters = prompt_.characters;
    prompt_.cached_fingerprint = prompt_.fingerprint;
  }

  void instruct(std::string_view text) {
    prompt_.instructions.append(text).push_back('\n');
    say(text);
  }

  void stop_sequences(const json& list) {
    if (!list.is_array()) return;
    for (const json& sequence : list) {
      if (!text_of(sequence).empty() && prompt_.stop_sequences.size() < 16) {
        prompt_.stop_sequences.emplace_back(text_of(sequence));
      }
    }
  }

  void tool(std::string_view name, const json& schema) {
    if (name.empty() || prompt_.tools.size() >= 256) return;
    prompt_.tools.push_back({std::string{name}, schema});
    say(name);
    prompt_.characters += schema.dump(-1, ' ', false, json::error_handler_t::replace).size();
  }

  void whole_prompt(const json& text) {
    prompt_.instructions = text_of(text);
    say(text_of(text));
  }

  Prompt& prompt() { return prompt_; }

 private:
  Prompt prompt_;
};

std::string missing(std::string_view key) {
  return "Malformed input request: #: required key [" + std::string{key} +
         "] not found, please reformat your input and try again.";
}

// Sizes of images and documents count by their base64 length, which is what there is to see.
void read_converse_block(Reader& reader, const json& block) {
  if (present(member(block, "cachePoint"))) return reader.cache_point();
  if (const json& text = member(block, "text"); text.is_string()) return reader.say(text_of(text));
  reader.say(block.dump(-1, ' ', false, json::error_handler_t::replace));
}

void read_converse_messages(Reader& reader, const json& messages) {
  for (const json& message : messages) {
    const bool assistant = text_of(member(message, "role")) == "assistant";
    reader.prompt().ends_with_assistant = assistant;
    reader.prompt().ends_with_tool_result = false;
    const json& content = member(message, "content");
    if (content.is_string()) reader.say(text_of(content));
    if (!content.is_array()) continue;
    for (const json& block : content) {
      if (present(member(block, "toolResult"))) reader.prompt().ends_with_tool_result = true;
      read_converse_block(reader, block);
    }
  }
}

void read_converse_tools(Reader& reader, const json& config) {
  const json& tools = member(config, "tools");
  if (tools.is_array()) {
    for (const json& tool : tools) {
      if (present(member(tool, "cachePoint"))) reader.cache_point();
      const json& spec = member(tool, "toolSpec");
      reader.tool(text_of(member(spec, "name")), member(spec, "inputSchema", "json"));
    }
  }
  const json& choice = member(config, "toolChoice");
  reader.prompt().forced_tool = text_of(member(choice, "tool", "name"));
  reader.prompt().tool_required = present(member(choice, "any")) || present(member(choice, "tool"));
}

void read_converse_inference(Reader& reader, const json& body) {
  Prompt& prompt = reader.prompt();
  const json& inference = member(body, "inferenceConfig");
  prompt.max_tokens = positive(member(inference, "maxTokens"));
  if (!prompt.max_tokens)
    prompt.max_tokens = positive(member(inference, "max_new_tokens"));  // Nova's own
  prompt.has_temperature = present(member(inference, "temperature"));
  prompt.has_top_p = present(member(inference, "topP"));
  prompt.has_top_k = present(member(inference, "topK"));
  reader.stop_sequences(member(inference, "stopSequences"));

  const json& extra = member(body, "additionalModelRequestFields");
  prompt.has_top_k = prompt.has_top_k || present(member(extra, "top_k"));
  prompt.thinking_enabled = text_of(member(extra, "thinking", "type")) == "enabled";
  prompt.has_betas = !member(extra, "anthropic_beta").empty();

  const json& schema =
      member(member(body, "outputConfig", "textFormat"), "structure", "jsonSchema");
  if (auto parsed = parse_json(text_of(member(schema, "schema"))))
    prompt.output_schema = std::move(parsed);
}

void read_anthropic_content(Reader& reader, const json& content) {
  if (content.is_string()) return reader.say(text_of(content));
  if (!content.is_array()) return;
  for (const json& block : content) {
    if (text_of(member(block, "type")) == "tool_result")
      reader.prompt().ends_with_tool_result = true;
    if (const json& text = member(block, "text"); text.is_string()) {
      reader.say(text_of(text));
    } else {
      reader.say(block.dump(-1, ' ', false, json::error_handler_t::replace));
    }
    if (present(member(block, "cache_control"))) reader.cache_point();
  }
}

void read_anthropic_system(Reader& reader, const json& system) {
  if (system.is_string()) reader.instruct(text_of(system));
  if (!system.is_array()) return;
  for (const json& block : system) {
    reader.instruct(text_of(member(block, "text")));
    if (present(member(block, "cache_control"))) reader.cache_point();
  }
}

void read_anthropic_tools(Reader& reader, const json& body) {
  const json& tools = member(body, "tools");
  if (tools.is_array()) {
    for (const json& tool : tools) {
      reader.tool(text_of(member(tool, "name")), member(tool, "input_schema"));
      if (present(member(tool, "cache_control"))) reader.cache_point();
    }
  }
  const json& choice = member(body, "tool_choice");
  const std::string_view type = text_of(member(choice, "type"));
  reader.prompt().tool_required = type == "any" || type == "tool";
  if (type == "tool") reader.prompt().forced_tool = text_of(member(choice, "name"));
}

// The body of InvokeModel and of Messages alike, but for who tells the version.
PromptResult read_anthropic_body(const json& body) {
  const json& messages = member(body, "messages");
  if (!messages.is_array() || messages.empty()) {
    return {.prompt = {}, .problem = "messages: at least one message is required"};
  }
  Reader reader;
  read_anthropic_tools(reader, body);  // a cache point covers tools, then system, then messages
  read_anthropic_system(reader, member(body, "system"));
  Prompt& prompt = reader.prompt();
  for (const json& message : messages) {
    prompt.ends_with_assistant = text_of(member(message, "role")) == "assistant";
    prompt.ends_with_tool_result = false;
    read_anthropic_content(reader, member(message, "content"));
  }
  prompt.max_tokens = positive(member(body, "max_tokens"));
  prompt.has_temperature = present(member(body, "temperature"));
  prompt.has_top_p = present(member(body, "top_p"));
  prompt.has_top_k = present(member(body, "top_k"));
  prompt.thinking_enabled = text_of(member(body, "thinking", "type")) == "enabled";
  prompt.top_level_cache_control = present(member(body, "cache_control"));
  prompt.has_betas = !member(body, "anthropic_beta").empty();
  reader.stop_sequences(member(body, "stop_sequences"));
  const json& schema = member(member(body, "output_config", "format"), "schema");
  if (schema.is_object()) prompt.output_schema = schema;
  return {.prompt = std::move(prompt), .problem = {}};
}

PromptResult read_anthropic(const json& body) {
  for (const char* key : {"anthropic_version", "max_tokens", "messages"}) {
    if (!present(member(body, key))) return {.prompt = {}, .problem = missing(key)};
  }
  return read_anthropic_body(body);
}

void read_openai_tools(Reader& reader, const json& body) {
  const json& tools = member(body, "tools");
  if (tools.is_array()) {
    for (const json& tool : tools) {
      // Chat puts the function one level down, Responses does not.
      const json& function = present(member(tool, "function")) ? member(tool, "function") : tool;
      reader.tool(text_of(member(function, "name")), member(function, "parameters"));
    }
  }
  const json& choice = member(body, "tool_choice");
  Prompt& prompt = reader.prompt();
  prompt.forced_tool = text_of(member(choice, "name"));
  if (prompt.forced_tool.empty()) prompt.forced_tool = text_of(member(choice, "function", "name"));
  prompt.tool_required = text_of(choice) == "required" || !prompt.forced_tool.empty();
}

void read_openai_content(Reader& reader, const json& content, bool instructs) {
  const auto take = [&](std::string_view text) {
    if (instructs) return reader.instruct(text);
    reader.say(text);
  };
  if (content.is_string()) return take(text_of(content));
  if (!content.is_array()) return;
  for (const json& part : content) {
    if (const json& text = member(part, "text"); text.is_string()) {
      take(text_of(text));
    } else {
      reader.say(part.dump(-1, ' ', false, json::error_handler_t::replace));
    }
  }
}

// A list of turns, of Chat Completions or of Responses.
void read_openai_turns(Reader& reader, const json& turns) {
  for (const json& turn : turns) {
    const std::string_view role = text_of(member(turn, "role"));
    const std::string_view type = text_of(member(turn, "type"));
    Prompt& prompt = reader.prompt();
    prompt.ends_with_assistant = role == "assistant";
    prompt.ends_with_tool_result = role == "tool" || type == "function_call_output";
    if (const json& output = member(turn, "output"); output.is_string())
      reader.say(text_of(output));
    read_openai_content(reader, member(turn, "content"), role == "system" || role == "developer");
  }
}

void read_openai_sampling(Reader& reader, const json& body) {
  Prompt& prompt = reader.prompt();
  prompt.has_temperature = present(member(body, "temperature"));
  prompt.has_top_p = present(member(body, "top_p"));
  if (const json& stop = member(body, "stop"); stop.is_string()) {
    prompt.stop_sequences.emplace_back(text_of(stop));
  } else {
    reader.stop_sequences(stop);
  }
}

PromptResult read_llama(const json& body) {
  if (!member(body, "prompt").is_string()) return {.prompt = {}, .problem = missing("prompt")};
  Reader reader;
  reader.whole_prompt(member(body, "prompt"));
  Prompt& prompt = reader.prompt();
  prompt.max_tokens = positive(member(body, "max_gen_len")).value_or(512);
  prompt.has_temperature = present(member(body, "temperature"));
  prompt.has_top_p = present(member(body, "top_p"));
  return {.prompt = std::move(prompt), .problem = {}};
}

PromptResult read_mistral(const json& body) {
  if (!member(body, "prompt").is_string()) return {.prompt = {}, .problem = missing("prompt")};
  Reader reader;
  reader.whole_prompt(member(body, "prompt"));
  Prompt& prompt = reader.prompt();
  prompt.max_tokens = positive(member(body, "max_tokens")).value_or(512);
  prompt.has_temperature = present(member(body, "temperature"));
  prompt.has_top_p = present(member(body, "top_p"));
  prompt.has_top_k = present(member(body, "top_k"));
  reader.stop_sequences(member(body, "stop"));
  return {.prompt = std::move(prompt), .problem = {}};
}

PromptResult read_titan(const json& body) {
  if (!member(body, "inputText").is_string())
    return {.prompt = {}, .problem = missing("inputText")};
  Reader reader;
  reader.whole_prompt(member(body, "inputText"));
  Prompt& prompt = reader.prompt();
  const json& config = member(body, "textGenerationConfig");
  prompt.max_tokens = positive(member(config, "maxTokenCount")).value_or(512);
  prompt.has_temperature = present(member(config, "temperature"));
  prompt.has_top_p = present(member(config, "topP"));
  reader.stop_sequences(member(config, "stopSequences"));
  return {.prompt = std::move(prompt), .problem = {}};
}

}  // namespace

std::optional<json> parse_json(std::string_view text) {
  constexpr int kMaxDepth = 128;
  if (deeper_than(text, kMaxDepth)) return std::nullopt;
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

PromptResult read_converse(const json& body) {
  const json& messages = member(body, "messages");
  if (!messages.is_array() || messages.empty()) {
    return {.prompt = {},
            .problem =
                "A conversation must start with a user message. Try again with a conversation that "
                "starts with a "
                "user message."};
  }
  if (text_of(member(messages.front(), "role")) == "assistant") {
    return read_converse(json::object());
  }
  Reader reader;
  read_converse_tools(reader, member(body, "toolConfig"));
  if (const json& system = member(body, "system"); system.is_array()) {
    for (const json& block : system) {
      if (present(member(block, "cachePoint"))) reader.cache_point();
      if (const json& text = member(block, "text"); text.is_string())
        reader.instruct(text_of(text));
    }
  }
  read_converse_messages(reader, messages);
  read_converse_inference(reader, body);
  return {.prompt = std::move(reader.prompt()), .problem = {}};
}

PromptResult read_messages(const json& body) {
  if (!present(member(body, "messages")))
    return {.prompt = {}, .problem = "messages: Field required"};
  return read_anthropic_body(body);
}

PromptResult read_chat(const json& body) {
  const json& messages = member(body, "messages");
  if (!messages.is_array() || messages.empty()) {
    return {.prompt = {}, .problem = "'messages' must be a list of at least one message"};
  }
  Reader reader;
  read_openai_tools(reader, body);
  read_openai_turns(reader, messages);
  read_openai_sampling(reader, body);
  Prompt& prompt = reader.prompt();
  prompt.max_tokens = positive(member(body, "max_completion_tokens"));
  if (!prompt.max_tokens) prompt.max_tokens = positive(member(body, "max_tokens"));
  const json& schema = member(member(body, "response_format", "json_schema"), "schema");
  if (schema.is_object()) prompt.output_schema = schema;
  return {.prompt = std::move(prompt), .problem = {}};
}

PromptResult read_responses(const json& body) {
  const json& input = member(body, "input");
  if (!input.is_string() && !input.is_array()) {
    return {.prompt = {}, .problem = "'input' must be a text or a list of items"};
  }
  Reader reader;
  read_openai_tools(reader, body);
  if (const json& instructions = member(body, "instructions"); instructions.is_string())
    reader.instruct(text_of(instructions));
  if (input.is_string()) reader.say(text_of(input));
  if (input.is_array()) read_openai_turns(reader, input);
  read_openai_sampling(reader, body);
  Prompt& prompt = reader.prompt();
  prompt.max_tokens = positive(member(body, "max_output_tokens"));
  const json& schema = member(member(body, "text", "format"), "schema");
  if (schema.is_object()) prompt.output_schema = schema;
  return {.prompt = std::move(prompt), .problem = {}};
}

PromptResult read_invoke(Family family, const json& body) {
  switch (family) {
    case Family::anthropic:
      return read_anthropic(body);
    case Family::nova:
      return read_converse(body);  // the same shape by design
    case Family::llama:
      return read_llama(body);
    case Family::mistral:
      return read_mistral(body);
    case Family::titan:
      return read_titan(body);
    case Family::echo:
      break;
  }
  return {};
}

}  // namespace understudy::simulator
