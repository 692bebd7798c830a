#include "bench/detectors/labelled_pairs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/detectors/words.h"

namespace understudy::bench {

namespace {

using metrics::AnswerProfile;
using metrics::Expectations;
using metrics::Observation;
using Json = nlohmann::ordered_json;

// SplitMix64: the same numbers on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) noexcept { return static_cast<std::size_t>(next() % n); }
  bool one_in(std::size_t n) noexcept { return below(n) == 0; }
  template <typename List>
  auto pick(const List& list) noexcept {
    return list[below(list.size())];
  }
  // Of the list's first half to tune with, of its second to test.
  template <typename List>
  const auto& pick_of(Split split, const List& list) noexcept {
    const std::size_t half = list.size() / 2;
    return list[below(half) + (split == Split::held_out ? half : 0)];
  }

 private:
  std::uint64_t state_;
};

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

// --- Prose -------------------------------------------------------------------------------------

// What an answer says; how it is said varies with every telling.
struct Fact {
  std::string_view thing, act, circumstance;
};

std::vector<Fact> facts(const Topic& topic, Random& random, std::size_t count) {
  std::vector<Fact> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back(
        {random.pick(topic.things), random.pick(topic.acts), random.pick(topic.circumstances)});
  }
  return made;
}

std::string sentence(const Fact& fact, Random& random) {
  const std::string thing{fact.thing}, act{fact.act}, circumstance{fact.circumstance};
  switch (random.below(5)) {
    case 0:
      return capitalized(thing + " " + act + " " + circumstance + ".");
    case 1:
      return capitalized(circumstance + ", " + thing + " " + act + ".");
    case 2:
      return "In general, " + thing + " " + act + ", especially " + circumstance + ".";
    case 3:
      return "Keep in mind that " + thing + " usually " + act + " " + circumstance + ".";
    default:
      return "This is why " + thing + " " + act + " " + circumstance + ".";
  }
}

std::string paragraph(const std::vector<Fact>& said, Random& random) {
  std::string text;
  for (const Fact& fact : said) {
    if (!text.empty()) text += random.one_in(4) ? "\n\n" : " ";
    text += sentence(fact, random);
  }
  return text;
}

// A newer version of a model: longer, with headings, bold words and lists.
std::string dressed_up(const std::vector<Fact>& said, Random& random) {
  std::string text = random.one_in(2) ? "## Overview\n\n" : "Here is a short overview.\n\n";
  for (const Fact& fact : said) {
    text += "- **" + capitalized(std::string{fact.thing}) + "**: " + sentence(fact, random) + "\n";
  }
  return text + "\nLet me know if you would like more detail on any of these points!";
}

// The same things said by the same model: most of them, in other words.
std::vector<Fact> resampled(std::vector<Fact> said, const Topic& topic, Random& random) {
  for (Fact& fact : said) {
    if (random.one_in(4)) fact.circumstance = random.pick(topic.circumstances);
  }
  if (random.one_in(3)) std::swap(said.front(), said.back());
  return said;
}

std::string in_another_language(Split split, Random& random) {
  const Tongue& tongue = random.pick_of(split, kTongueTexts);
  std::string text;
  const std::size_t first = random.below(2);
  for (std::size_t i = first; i < first + 3; ++i) {
    if (!text.empty()) text += " ";
    text += tongue.sentences[i];
  }
  return text;
}

std::string cut_off(std::string text, Random& random) {
  // At 40 to 85 per cent, wherever that is: tokens end in words and between them.
  std::size_t end = text.size() * (40 + random.below(46)) / 100;
  while (end > 60 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

// --- Observations ------------------------------------------------------------------------------

Observation observation(std::string text, std::string stop_reason = "end_turn") {
  Observation seen;
  seen.status = 200;
  seen.operation = routing::Operation::converse;
  seen.answer.text = std::move(text);
  seen.answer.stop_reason = std::move(stop_reason);
  seen.answer.first_block = metrics::BlockKind::text;
  seen.answer.parsed = true;
  return seen;
}

Observation refused_request() {
  Observation seen;
  seen.status = 400;
  seen.error_class = metrics::ErrorClass::client_error;
  seen.error_type = "ValidationException";
  seen.error_message = "`temperature` is not supported by this model.";
  return seen;
}

Expectations expectations_of(const Json& request) {
  return Expectations::from_request(routing::Operation::converse, request.dump());
}

Json user_asks(std::string_view text) {
  return {{"messages",
           Json::array({{{"role", "user"}, {"content", Json::array({{{"text", text}}})}}})}};
}

// --- JSON families -----------------------------------------------------------------------------

using Keys = std::array<Key, 6>;

// Six members: an identifier, a number, two flags or categories, a word, a sentence.
Json record(const Keys& keys, Random& random) {
  constexpr std::array<std::string_view, 3> kCategories{"low", "medium", "high"};
  const Topic& topic = kTopicWords[random.below(kTopics)];
  Json made;
  made[std::string{keys[0].name}] = "ID-" + std::to_string(random.below(100'000));
  made[std::string{keys[1].name}] = 10 + random.below(5'000);
  made[std::string{keys[2].name}] = random.one_in(2);
  made[std::string{keys[3].name}] = random.pick(kCategories);
  made[std::string{keys[4].name}] = {{"first", random.pick(topic.things)},
                                     {"count", random.below(9)}};
  made[std::string{keys[5].name}] = sentence(facts(topic, random, 1)[0], random);
  return made;
}

std::string fenced(const std::string& json) {
  return "```json\n" + json + "\n```";
}

// The same value, written otherwise.
std::string rewritten(const Json& value, Random& random) {
  std::vector<std::string> keys;
  for (const auto& [key, unused] : value.items()) keys.push_back(key);
  const std::size_t first = 1 + random.below(keys.size() - 1);
  std::rotate(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(first), keys.end());
  Json made;
  for (const std::string& key : keys) {
    made[key] = value[key].is_number_integer() ? Json(value[key].get<double>()) : value[key];
  }
  return made.dump(random.one_in(2) ? 2 : 4);
}

Json without(const Json& value, std::string_view key) {
  Json made = value;
  made.erase(std::string{key});
  return made;
}

Json renamed(const Json& value, const Key& key) {
  Json made;
  for (const auto& [name, member] : value.items()) {
    made[name == key.name ? std::string{key.other_name} : name] = member;
  }
  return made;
}

Json with_number_as_text(const Json& value, std::string_view key) {
  Json made = value;
  made[std::string{key}] = std::to_string(value[std::string{key}].get<int>());
  return made;
}

// Another flag or category: the contract holds, and the caller acts otherwise.
Json with_a_leaf_flipped(const Json& value, const Keys& keys, Random& random) {
  Json made = value;
  if (random.one_in(2)) {
    Json& flag = made[std::string{keys[2].name}];
    flag = !flag.get<bool>();
  } else {
    Json& category = made[std::string{keys[3].name}];
    category = category == "high" ? "low" : "high";
  }
  return made;
}

Json schema_of(const Keys& keys) {
  Json properties;
  Json required = Json::array();
  constexpr std::array<std::string_view, 6> kTypes{"string", "number", "boolean",
                                                   "string", "object", "string"};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    properties[std::string{keys[i].name}] = {{"type", kTypes[i]}};
    required.push_back(keys[i].name);
  }
  return {{"type", "object"}, {"properties", properties}, {"required", required}};
}

// A third of the families state their schema, the others are known by their answers.
Expectations json_expectations(const Keys& keys, bool stated) {
  Json request = user_asks("Extract the fields and answer with JSON only.");
  if (stated) {
    request["outputConfig"]["textFormat"] = {
        {"type", "json_schema"},
        {"structure", {{"jsonSchema", {{"schema", schema_of(keys).dump()}}}}}};
  }
  return expectations_of(request);
}

// --- One pair of each class --------------------------------------------------------------------

class PairMaker {
 public:
  PairMaker(Split split, std::uint64_t seed) : split_(split), random_(seed) {}

  LabelledPair make(PairClass truth);

 private:
  void make_prose(LabelledPair& pair);
  void make_json(LabelledPair& pair);
  void make_label(LabelledPair& pair);
  void make_tools(LabelledPair& pair);
  std::string changed_prose(PairClass truth, const Topic& topic, const std::vector<Fact>& said,
                            const std::string& text);
  std::string changed_json(PairClass truth, const Keys& keys, const Json& value);

  Split split_;
  Random random_;
};

bool is_about_json(PairClass c) {
  return c == PairClass::same_json || c == PairClass::both_fenced || c == PairClass::fenced ||
         c == PairClass::wrapped || c == PairClass::key_renamed || c == PairClass::key_missing ||
         c == PairClass::type_changed || c == PairClass::leaf_flip;
}

bool is_about_tools(PairClass c) {
  return c == PairClass::tool_order || c == PairClass::tool_name || c == PairClass::argument_type ||
         c == PairClass::argument_missing || c == PairClass::more_parallel_calls;
}

LabelledPair PairMaker::make(PairClass truth) {
  LabelledPair pair;
  pair.truth = truth;
  if (is_about_json(truth)) {
    make_json(pair);
  } else if (is_about_tools(truth)) {
    make_tools(pair);
  } else if (truth == PairClass::label_flip) {
    make_label(pair);
  } else {
    make_prose(pair);
  }
  return pair;
}

void PairMaker::make_prose(LabelledPair& pair) {
  const std::size_t topic_at = random_.below(kTopics);
  const Topic& topic = kTopicWords[topic_at];
  const auto said = facts(topic, random_, 5 + random_.below(6));
  const std::string text = paragraph(said, random_);
  pair.expectations = expectations_of(
      user_asks("What should I know about " + std::string{topic.things[0]} + "? Please explain."));
  pair.served = observation(text);
  pair.other = observation(changed_prose(pair.truth, topic, said, text));
  switch (pair.truth) {
    case PairClass::max_tokens:
      pair.other.answer.stop_reason = "max_tokens";
      break;
    case PairClass::refused_as_invalid:
      pair.other = refused_request();
      break;
    case PairClass::thinking_first:
      pair.other.answer.first_block = metrics::BlockKind::thinking;
      pair.other.answer.thinking_bytes = 500;
      break;
    case PairClass::off_topic: {
      const Topic& another = kTopicWords[(topic_at + 1 + random_.below(kTopics - 1)) % kTopics];
      pair.other = observation(paragraph(facts(another, random_, 6), random_));
      break;
    }
    case PairClass::language:
      if (random_.one_in(3)) std::swap(pair.served, pair.other);
      break;
    default:
      break;
  }
}

std::string PairMaker::changed_prose(PairClass truth, const Topic& topic,
                                     const std::vector<Fact>& said, const std::string& text) {
  switch (truth) {
    case PairClass::identical:
      return text;
    case PairClass::rephrase:
      return dressed_up(said, random_);
    case PairClass::refusal:
      return std::string{random_.pick_of(split_, kRefusalTexts)};
    case PairClass::max_tokens:
      return cut_off(paragraph(said, random_), random_);
    case PairClass::breaks_off:
      return cut_off(random_.one_in(3) ? dressed_up(said, random_) : paragraph(said, random_),
                     random_);
    case PairClass::language:
      return in_another_language(split_, random_);
    case PairClass::empty:
      return random_.one_in(2) ? "" : "\n";
    default:
      return paragraph(resampled(said, topic, random_), random_);
  }
}

void PairMaker::make_json(LabelledPair& pair) {
  const Keys& keys = random_.pick_of(split_, kRecordKeys);
  const bool fences = pair.truth == PairClass::both_fenced;
  const bool stated = !fences && random_.one_in(3);
  pair.expectations = json_expectations(keys, stated);
  auto profile = std::make_shared<AnswerProfile>();
  for (int i = 0; i < 30; ++i) {
    const std::string json = record(keys, random_).dump();
    profile->learn(observation(fences ? fenced(json) : json));
  }
  pair.profile = profile;
  pair.expectations.profile = profile.get();
  const Json value = record(keys, random_);
  pair.served = observation(fences ? fenced(value.dump()) : value.dump());
  pair.other = observation(changed_json(pair.truth, keys, value));
}

std::string PairMaker::changed_json(PairClass truth, const Keys& keys, const Json& value) {
  switch (truth) {
    case PairClass::both_fenced:
      return fenced(rewritten(value, random_));
    case PairClass::fenced:
      return fenced(value.dump(2));
    case PairClass::wrapped:
      return random_.one_in(2) ? "Here is the JSON you asked for:\n\n" + fenced(value.dump(2))
                               : "Sure! " + value.dump() + "\n\nAnything else?";
    case PairClass::key_renamed:
      return renamed(value, random_.pick(keys)).dump();
    case PairClass::key_missing:
      return without(value, random_.pick(keys).name).dump();
    case PairClass::type_changed:
      return with_number_as_text(value, keys[1].name).dump();
    case PairClass::leaf_flip:
      return rewritten(with_a_leaf_flipped(value, keys, random_), random_);
    default:
      return rewritten(value, random_);
  }
}

void PairMaker::make_label(LabelledPair& pair) {
  const auto& labels = random_.pick_of(split_, kLabels);
  const auto worded = [this](std::string_view label, std::size_t form) {
    std::string text{label};
    if (form == 1) text = "**" + text + "**";
    if (form == 2) text += ".";
    if (form == 3) {
      const Topic& topic = random_.pick(kTopicWords);
      text = paragraph(facts(topic, random_, 2), random_) + "\n\nAnswer: " + text;
    }
    return text;
  };
  const std::size_t form = random_.one_in(3) ? 3 : 0;
  const std::size_t at = random_.below(labels.size());
  const std::size_t flipped = (at + 1 + random_.below(labels.size() - 1)) % labels.size();
  pair.expectations = expectations_of(user_asks("Classify the message."));
  pair.served = observation(worded(labels[at], form));
  pair.other = observation(worded(labels[flipped], form == 3 ? 3 : random_.below(3)));
}

Json tool_request(const std::array<Tool, kTools>& tools) {
  Json request = user_asks("Please look it up.");
  request["toolConfig"]["tools"] = Json::array();
  for (const Tool& tool : tools) {
    const std::string text{tool.text_argument}, number{tool.number_argument};
    const Json schema = {
        {"type", "object"},
        {"properties", {{text, {{"type", "string"}}}, {number, {{"type", "integer"}}}}},
        {"required", Json::array({text, number})}};
    request["toolConfig"]["tools"].push_back(
        {{"toolSpec", {{"name", tool.name}, {"inputSchema", {{"json", schema}}}}}});
  }
  return request;
}

void PairMaker::make_tools(LabelledPair& pair) {
  const auto call = [this](const Tool& tool) {
    const Topic& topic = random_.pick(kTopicWords);
    const Json arguments = {{tool.text_argument, random_.pick(topic.things)},
                            {tool.number_argument, 1 + random_.below(20)}};
    return metrics::ToolCall{std::string{tool.name}, arguments.dump()};
  };
  pair.expectations = expectations_of(tool_request(kToolWords));
  pair.served = observation("", "tool_use");
  auto& served = pair.served.answer.tool_calls;
  for (std::size_t i = 1 + random_.below(3); i > 0; --i) {
    served.push_back(call(random_.pick_of(split_, kToolWords)));
  }
  pair.other = pair.served;
  auto& other = pair.other.answer.tool_calls;
  metrics::ToolCall& changed = other[random_.below(other.size())];
  Json arguments = Json::parse(changed.arguments);
  const auto* tool = std::find_if(kToolWords.begin(), kToolWords.end(),
                                  [&](const Tool& each) { return each.name == changed.name; });
  switch (pair.truth) {
    case PairClass::tool_name:
      changed.name = tool->other_name;
      break;
    case PairClass::argument_type:
      arguments = with_number_as_text(arguments, tool->number_argument);
      changed.arguments = arguments.dump();
      break;
    case PairClass::argument_missing:
      changed.arguments =
          without(arguments, random_.one_in(2) ? tool->number_argument : tool->text_argument)
              .dump();
      break;
    case PairClass::more_parallel_calls:
      other.push_back(call(random_.pick_of(split_, kToolWords)));
      break;
    default:
      changed.arguments = rewritten(arguments, random_);
      std::reverse(other.begin(), other.end());
  }
}

const metrics::Finding* find(const metrics::Comparison& comparison, metrics::Signal signal) {
  for (const metrics::Finding& finding : comparison.findings) {
    if (finding.signal == signal) return &finding;
  }
  return nullptr;
}

struct Named {
  metrics::Signal signal;
  std::string_view detail;
  PairClass found;
};
// The first that matches: what explains the others stands before them.
constexpr std::array kDetections{
    Named{metrics::Signal::validation_error, "refused_as_invalid", PairClass::refused_as_invalid},
    Named{metrics::Signal::empty, "empty", PairClass::empty},
    Named{metrics::Signal::truncation, "max_tokens", PairClass::max_tokens},
    Named{metrics::Signal::refusal, "refusal", PairClass::refusal},
    Named{metrics::Signal::truncation, "breaks_off", PairClass::breaks_off},
    Named{metrics::Signal::json_contract, "fenced", PairClass::fenced},
    Named{metrics::Signal::json_contract, "wrapped", PairClass::wrapped},
    Named{metrics::Signal::json_contract, "key_renamed", PairClass::key_renamed},
    Named{metrics::Signal::json_contract, "key_missing", PairClass::key_missing},
    Named{metrics::Signal::json_contract, "type_changed", PairClass::type_changed},
    Named{metrics::Signal::json_agreement, "leaf_differs", PairClass::leaf_flip},
    Named{metrics::Signal::tool_contract, "tool_unknown", PairClass::tool_name},
    Named{metrics::Signal::tool_contract, "argument_missing", PairClass::argument_missing},
    Named{metrics::Signal::tool_contract, "argument_type", PairClass::argument_type},
    Named{metrics::Signal::tool_agreement, "tool_name", PairClass::tool_name},
    Named{metrics::Signal::tool_agreement, "more_parallel_calls", PairClass::more_parallel_calls},
    Named{metrics::Signal::label, "label_differs", PairClass::label_flip},
    Named{metrics::Signal::number, "number_differs", PairClass::label_flip},
    Named{metrics::Signal::language, "language_switched", PairClass::language},
    Named{metrics::Signal::thinking, "thinking_first", PairClass::thinking_first},
    Named{metrics::Signal::containment, "off_topic", PairClass::off_topic},
};

}  // namespace

std::string_view label(PairClass pair_class) noexcept {
  constexpr std::array<std::string_view, kPairClasses> kNames{
      "identical",          "same_json",           "tool_order",       "resample",
      "rephrase",           "both_fenced",         "fenced",           "wrapped",
      "key_renamed",        "key_missing",         "type_changed",     "label_flip",
      "tool_name",          "argument_type",       "argument_missing", "refusal",
      "max_tokens",         "breaks_off",          "language",         "empty",
      "refused_as_invalid", "more_parallel_calls", "thinking_first",   "off_topic",
      "leaf_flip"};
  return kNames[static_cast<std::size_t>(pair_class)];
}

std::vector<LabelledPair> labelled_pairs(Split split, std::uint64_t seed, int per_class) {
  std::vector<LabelledPair> pairs;
  PairMaker maker{split, seed};
  for (std::size_t c = 0; c < kPairClasses; ++c) {
    for (int i = 0; i < per_class; ++i) pairs.push_back(maker.make(static_cast<PairClass>(c)));
  }
  return pairs;
}

PairClass detected(const LabelledPair& pair) {
  const metrics::Comparison comparison =
      metrics::compare(pair.served, pair.other, pair.expectations);
  for (const Named& each : kDetections) {
    const metrics::Finding* finding = find(comparison, each.signal);
    if (finding == nullptr || finding->detail != each.detail) continue;
    const bool both = finding->served_bad && finding->other_bad && !finding->diverges;
    const bool warning = each.found == PairClass::more_parallel_calls;
    if ((finding->diverges && !both) || warning) return each.found;
  }
  return PairClass::rephrase;
}

std::string prose(std::uint64_t seed, std::size_t characters) {
  Random random{seed};
  const Topic& topic = random.pick(kTopicWords);
  std::string text;
  while (text.size() < characters) {
    if (!text.empty()) text += random.one_in(6) ? "\n\n" : " ";
    text += sentence(facts(topic, random, 1)[0], random);
  }
  return text;
}

}  // namespace understudy::bench
