#include "tests/simulator/answer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/simulator/random.h"

namespace understudy::simulator {
namespace {

using nlohmann::json;
using namespace std::string_view_literals;

constexpr std::array kOpenings{
    "In short,"sv,      "From what you describe,"sv, "For this case,"sv,     "As a rule,"sv,
    "To be precise,"sv, "In most accounts,"sv,       "On the data given,"sv, "After the change,"sv};
constexpr std::array kSubjects{
    "the invoice"sv,      "the second shipment"sv, "the customer record"sv, "the weekly report"sv,
    "the login page"sv,   "the payment service"sv, "the contract"sv,        "the delivery window"sv,
    "the support team"sv, "the new dashboard"sv,   "the export job"sv,      "the refund"sv};
constexpr std::array kVerbs{"should be checked against"sv,
                            "depends on"sv,
                            "was moved to"sv,
                            "is limited by"sv,
                            "can be matched with"sv,
                            "will arrive after"sv,
                            "differs from"sv,
                            "is covered by"sv,
                            "needs approval from"sv,
                            "follows"sv};
constexpr std::array kObjects{
    "the order history"sv,         "the billing address"sv,    "the terms of March"sv,
    "the regional office"sv,       "the audit log"sv,          "the second quarter"sv,
    "the account owner"sv,         "the current price list"sv, "the shared calendar"sv,
    "the data retention policy"sv, "the backup in Dublin"sv,   "the standard warranty"sv};
constexpr std::array kEndings{""sv,
                              " before the end of the week"sv,
                              " unless the owner objects"sv,
                              " by default"sv,
                              ", and no further step is needed"sv,
                              ", which explains the difference"sv,
                              " at no extra cost"sv};
constexpr std::array kLabels{"billing"sv,   "shipping"sv, "account"sv,
                             "technical"sv, "refund"sv,   "other"sv};
constexpr std::array kLevels{"low"sv, "medium"sv, "high"sv};
constexpr std::array kWords{"Berlin"sv, "invoice"sv, "Monday"sv, "standard"sv,
                            "north"sv,  "alpha"sv,   "Lisbon"sv, "weekly"sv};
constexpr std::string_view kRefusal =
    "I'm sorry, but I can't help with that request. If there is something else I can do for you, "
    "please let me know.";
constexpr std::array kGermanSubjects{"Die Rechnung"sv, "Die zweite Lieferung"sv, "Der Vertrag"sv,
                                     "Der Wochenbericht"sv, "Die Erstattung des Kaufpreises"sv};
constexpr std::array kGermanPredicates{
    "wurde wegen eines Fehlers verschoben"sv, "muss noch vom Kunden bestätigt werden"sv,
    "ist vor dem Ende der Woche fällig"sv, "wird ohne weitere Kosten geprüft"sv,
    "hängt von der Zustimmung des Lagers ab"sv};
constexpr double kCharactersPerToken = 4;

template <std::size_t N>
std::string_view pick(const std::array<std::string_view, N>& list, Random& random) {
  return list[random.below(N)];
}

std::string sentence(Random random) {
  std::string out;
  if (random.percent(40)) {
    out.append(pick(kOpenings, random)).append(" ").append(pick(kSubjects, random));
  } else {
    out = pick(kSubjects, random);
    out.front() = 'T';  // every subject begins with "the"
  }
  out.append(" ").append(pick(kVerbs, random)).append(" ").append(pick(kObjects, random));
  out.append(pick(kEndings, random)).append(".");
  return out;
}

std::string german_sentence(Random random) {
  std::string out{pick(kGermanSubjects, random)};
  return out.append(" ").append(pick(kGermanPredicates, random)).append(".");
}

std::string id_of(std::uint64_t seed, std::size_t length) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789";
  Random random{seed};
  std::string out;
  while (out.size() < length) out.push_back(kAlphabet[random.below(kAlphabet.size())]);
  return out;
}

std::string prose(const AnswerStyle& style, const AnswerSeeds& seeds, bool markdown, bool german) {
  Random content{seeds.content};
  const std::uint64_t spread =
      style.max_tokens >= style.min_tokens ? style.max_tokens - style.min_tokens : 0;
  const double tokens =
      static_cast<double>(style.min_tokens + content.below(spread + 1)) * style.verbosity;
  const auto wanted = static_cast<std::size_t>(std::clamp(tokens * kCharactersPerToken, 1.0, 4e6));
  Random own{seeds.style ^ 0x70a7a};
  std::string out = markdown ? "## Summary\n\n" : "";
  for (std::uint64_t i = 0; out.size() < wanted; ++i) {
    const bool paraphrased = own.percent(style.paraphrase_percent);
    if (i > 0) out += markdown ? "\n" : " ";
    if (markdown) out += "- ";
    const Random random{hash(paraphrased ? seeds.style : seeds.content, std::to_string(i))};
    out += german ? german_sentence(random) : sentence(random);
  }
  return out;
}

json value_by_name(std::string_view name, Random& random) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  if (has("categor") || has("label") || has("class") || has("topic")) return pick(kLabels, random);
  if (has("priority") || has("severity") || has("urgency")) return pick(kLevels, random);
  if (has("confidence") || has("score")) return static_cast<double>(50 + random.below(50)) / 100;
  if (has("count") || has("number") || has("amount") || has("total")) return 1 + random.below(500);
  if (has("is_") || has("has_")) return random.percent(50);
  if (has("tags") || has("items"))
    return json::array({pick(kLabels, random), pick(kLabels, random)});
  if (has("summary") || has("reason") || has("description") || has("text")) return sentence(random);
  return pick(kWords, random);
}

std::string type_of(const json& schema) {
  if (!schema.is_object()) return {};
  const auto type = schema.find("type");
  if (type == schema.end()) return schema.contains("properties") ? "object" : "";
  if (type->is_string()) return type->get<std::string>();
  if (type->is_array() && !type->empty() && type->front().is_string())
    return type->front().get<std::string>();
  return {};
}

double bound_of(const json& schema, const char* key, double otherwise) {
  const auto found = schema.find(key);
  return found != schema.end() && found->is_number() ? found->get<double>() : otherwise;
}

// A value that `schema` allows, as far as its usual words go.
json value_of(const json& schema, std::string_view name, std::uint64_t seed, int depth) {
  constexpr int kMaxDepth = 8;
  Random random{hash(seed, name)};
  if (!schema.is_object() || depth > kMaxDepth) return value_by_name(name, random);
  if (const auto choices = schema.find("enum");
      choices != schema.end() && choices->is_array() && !choices->empty()) {
    return (*choices)[random.below(choices->size())];
  }
  if (schema.contains("const")) return schema["const"];
  const std::string type = type_of(schema);
  if (type == "object") {
    json out = json::object();
    const auto properties = schema.find("properties");
    if (properties == schema.end() || !properties->is_object()) return out;
    for (const auto& [key, inner] : properties->items()) {
      out[key] = value_of(inner, key, hash(seed, name), depth + 1);
    }
    return out;
  }
  if (type == "array") {
    json out = json::array();
    const json items = schema.contains("items") ? schema["items"] : json{};
    for (std::uint64_t i = 0, n = 1 + random.below(3); i < n; ++i) {
      out.push_back(value_of(items, name, hash(seed, std::to_string(i)), depth + 1));
    }
    return out;
  }
  if (type == "integer") {
    const double low = bound_of(schema, "minimum", 1);
    const double high = std::max(low, bound_of(schema, "maximum", low + 99));
    return static_cast<std::int64_t>(
        std::clamp(low + std::floor(random.unit() * (high - low + 1)), -1e15, 1e15));
  }
  if (type == "number") {
    const double low = bound_of(schema, "minimum", 0);
    const double high = std::max(low, bound_of(schema, "maximum", low + 1));
    return low + std::floor(random.unit() * 100) / 100 * (high - low);
  }
  if (type == "boolean") return random.percent(50);
  json value = value_by_name(name, random);
  if (type == "string" && !value.is_string()) return std::string{pick(kWords, random)};
  return value;
}

// Keys that the instructions name as `"key"`; a default set when they name none.
std::vector<std::string> keys_named_in(std::string_view instructions) {
  std::vector<std::string> keys;
  constexpr std::size_t kMaxKeys = 12;
  std::size_t position = 0;
  while (keys.size() < kMaxKeys &&
         (position = instructions.find('"', position)) != std::string_view::npos) {
    const std::size_t end = instructions.find_first_not_of(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", position + 1);
    if (end == std::string_view::npos) break;
    const std::string_view key = instructions.substr(position + 1, end - position - 1);
    const bool is_new = std::find(keys.begin(), keys.end(), key) == keys.end();
    if (instructions[end] == '"' && !key.empty() && is_new) keys.emplace_back(key);
    position = instructions[end] == '"' ? end + 1 : end;
  }
  if (keys.empty()) keys = {"category", "confidence", "summary", "tags"};
  return keys;
}

std::string json_answer(const Prompt& prompt, std::uint64_t seed, bool rename) {
  json value;
  if (prompt.output_schema) {
    value = value_of(*prompt.output_schema, "", seed, 0);
  } else {
    value = json::object();
    for (const std::string& key : keys_named_in(prompt.instructions))
      value[key] = value_of({}, key, seed, 0);
  }
  if (rename && value.is_object() && !value.empty()) {
    const std::string key = value.begin().key();
    json moved = std::move(value[key]);
    value.erase(key);
    value[key + "_value"] = std::move(moved);
  }
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Block tool_call(const Prompt& prompt, const AnswerSeeds& seeds, bool rename) {
  std::size_t index = Random{hash(seeds.content, "tool")}.below(prompt.tools.size());
  for (std::size_t i = 0; i < prompt.tools.size(); ++i) {
    if (prompt.tools[i].name == prompt.forced_tool) index = i;
  }
  if (rename && prompt.tools.size() > 1) index = (index + 1) % prompt.tools.size();
  const Tool& tool = prompt.tools[index];
  Block block;
  block.kind = Block::Kind::tool_use;
  block.tool_name = rename && prompt.tools.size() == 1 ? tool.name + "_v2" : tool.name;
  block.tool_id = id_of(hash(seeds.identity, "tool"), 22);
  json input = value_of(tool.input_schema, tool.name, seeds.content, 0);
  block.tool_input = input.is_object() ? std::move(input) : json::object();
  return block;
}

json of_another_type(const json& value) {
  if (value.is_string()) return json::array({value});
  return value.dump();
}

void retype_first_argument(json& input) {
  if (!input.empty()) *input.begin() = of_another_type(*input.begin());
}

// Of one tool or the other, for something else.
Block second_call(const Prompt& prompt, const AnswerSeeds& seeds) {
  AnswerSeeds other = seeds;
  other.content = hash(seeds.content, "second call");
  other.identity = hash(seeds.identity, "second call");
  return tool_call(prompt, other, false);
}

bool asks_for_json(const Prompt& prompt) {
  return prompt.output_schema.has_value() || prompt.instructions.find("JSON") != std::string::npos;
}

std::size_t characters_of(const Block& block) {
  if (block.kind != Block::Kind::tool_use) return block.text.size();
  return block.tool_name.size() +
         block.tool_input.dump(-1, ' ', false, json::error_handler_t::replace).size();
}

// Within no character.
void shorten(std::string& text, std::size_t size) {
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
    --size;
  text.resize(std::min(size, text.size()));
}

void cut_at_stop_sequence(const Prompt& prompt, Answer& answer) {
  for (Block& block : answer.blocks) {
    if (block.kind != Block::Kind::text) continue;
    for (const std::string& sequence : prompt.stop_sequences) {
      const std::size_t at = block.text.find(sequence);
      if (at == std::string::npos) continue;
      block.text.resize(at);
      answer.stop_reason = StopReason::stop_sequence;
      answer.stop_sequence = sequence;
    }
  }
}

// Tool calls are left whole: what a cut call looks like differs by model and is no use to a test.
void cut_at_max_tokens(std::uint64_t max_tokens, double factor, Answer& answer) {
  double left = static_cast<double>(max_tokens) * kCharactersPerToken / factor;
  for (Block& block : answer.blocks) {
    const auto size = static_cast<double>(characters_of(block));
    if (size > left && block.kind != Block::Kind::tool_use) {
      shorten(block.text, static_cast<std::size_t>(std::max(left, 0.0)));
      answer.stop_reason = StopReason::max_tokens;
      answer.stop_sequence.clear();
    }
    left -= size;
  }
}

void cut_in_half(Answer& answer) {
  Block& last = answer.blocks.back();
  if (last.kind != Block::Kind::text) return;
  shorten(last.text, last.text.size() / 2);
  answer.stop_reason = StopReason::max_tokens;
}

std::vector<Block> make_blocks(const Prompt& prompt, const AnswerStyle& style,
                               const AnswerSeeds& seeds) {
  Random draws{seeds.style};
  const bool refuses = draws.percent(style.refuse_percent);
  const bool thinks = draws.percent(style.thinking_percent);
  const bool fences = draws.percent(style.fence_json_percent);
  const bool renames = draws.percent(style.tool_rename_percent);
  const bool markdown = draws.percent(style.markdown_percent);
  const bool renames_key = draws.percent(style.json_rename_percent);
  const bool retypes = draws.percent(style.tool_retype_percent);
  const bool calls_twice = draws.percent(style.tool_parallel_percent);
  const bool german = draws.percent(style.german_percent);

  std::vector<Block> blocks;
  if (thinks) {
    Block block;
    block.kind = Block::Kind::thinking;
    block.text = sentence(Random{hash(seeds.style, "thought")});
    block.signature = id_of(hash(seeds.identity, "signature"), 64);
    blocks.push_back(std::move(block));
  }
  const bool mixed = style.kind == AnswerKind::mixed;
  const bool may_call =
      !prompt.tools.empty() && (!prompt.ends_with_tool_result || prompt.tool_required);
  Block block;
  if (refuses) {
    block.text = kRefusal;
  } else if (may_call && (mixed || style.kind == AnswerKind::tools)) {
    block = tool_call(prompt, seeds, renames);
    if (calls_twice) blocks.push_back(second_call(prompt, seeds));
    if (retypes) retype_first_argument(block.tool_input);
  } else if (style.kind == AnswerKind::json || (mixed && asks_for_json(prompt))) {
    block.text = json_answer(prompt, seeds.content, renames_key);
    if (fences) block.text = "```json\n" + block.text + "\n```";
  } else {
    block.text = prose(style, seeds, markdown, german);
  }
  blocks.push_back(std::move(block));
  return blocks;
}

}  // namespace

std::uint64_t count_tokens(std::size_t characters, double tokenizer_factor) {
  const double tokens =
      std::ceil(static_cast<double>(characters) / kCharactersPerToken * tokenizer_factor);
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(tokens));
}

Answer make_answer(const Prompt& prompt, const Model& model, const AnswerSeeds& seeds) {
  Answer answer;
  answer.id = id_of(hash(seeds.identity, "message"), 24);
  answer.blocks = make_blocks(prompt, model.answer, seeds);
  if (answer.blocks.back().kind == Block::Kind::tool_use) answer.stop_reason = StopReason::tool_use;
  if (Random{hash(seeds.style, "cut")}.percent(model.answer.cut_percent)) cut_in_half(answer);
  cut_at_stop_sequence(prompt, answer);
  cut_at_max_tokens(prompt.max_tokens.value_or(model.max_output_tokens), model.tokenizer_factor,
                    answer);

  std::size_t written = 0;
  for (const Block& block : answer.blocks) written += characters_of(block);
  answer.usage.output = count_tokens(written, model.tokenizer_factor);
  if (prompt.max_tokens && answer.stop_reason == StopReason::max_tokens)
    answer.usage.output = *prompt.max_tokens;
  answer.usage.input =
      count_tokens(prompt.characters - prompt.cached_characters, model.tokenizer_factor);

  Random latency{hash(seeds.identity, "latency")};
  const auto draw = [&](const Latency& ms) {
    return ms.sigma > 0 ? latency.lognormal(ms.median, ms.sigma) : ms.median;
  };
  answer.first_token_ms = draw(model.first_token_ms);
  answer.per_token_ms = draw(model.per_token_ms);
  return answer;
}

}  // namespace understudy::simulator
