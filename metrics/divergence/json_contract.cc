// JSON that callers parse. What is held against either side alone, by the same rule: the container,
// the validity, the request's schema or else what the family's answers have always had. What needs
// both sides: keys and values that differ.

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "metrics/divergence/answer_profile.h"
#include "metrics/divergence/json_form.h"
#include "metrics/divergence/json_value.h"
#include "metrics/divergence/signals.h"
#include "metrics/divergence/word_share.h"

namespace understudy::metrics::divergence {

namespace {

// What one side's answer holds.
struct Side {
  JsonForm form;
  JsonParser parser;
  std::optional<Json> root;  // none also where the JSON is valid but beyond the parser's bounds
  FlatJson flat;             // sorted by path
};

bool by_path(const JsonNode& a, const JsonNode& b) noexcept {
  return a.path < b.path;
}

// An answer that goes on from the request's own beginning is JSON only together with it.
void read(std::string_view text, const Expectations& expected, std::string& joined, Side& into) {
  into.form = json_form(text);
  if (!into.form.valid && !expected.prefill.empty()) {
    joined = expected.prefill;
    joined += text;
    if (const JsonForm whole = json_form(joined); whole.valid) into.form = whole;
  }
  if (!into.form.valid) return;
  into.root = into.parser.parse(into.form.json);
  if (!into.root) return;
  into.flat = flatten(*into.root);
  std::stable_sort(into.flat.nodes.begin(), into.flat.nodes.end(), by_path);
}

bool is_whole(const Side& side) noexcept {
  return side.root && side.flat.whole;
}

std::span<const JsonNode> nodes_of(const FlatJson& flat, std::uint64_t path) {
  const auto [first, last] = std::equal_range(flat.nodes.begin(), flat.nodes.end(),
                                              JsonNode{.path = path, .value = {}}, by_path);
  return {first, last};
}

bool has(const FlatJson& flat, std::uint64_t path) {
  return !nodes_of(flat, path).empty();
}

std::optional<Container> expected_container(const Expectations& expected) {
  if (expected.json) return Container::bare;
  return expected.profile != nullptr ? expected.profile->container() : std::nullopt;
}

std::string_view name_of(Container container) noexcept {
  switch (container) {
    case Container::none:
      return "not_json";
    case Container::bare:
      return "bare";
    case Container::fenced:
      return "fenced";
    case Container::wrapped:
      return "wrapped";
  }
  return "not_json";
}

std::string_view name_of(JsonSchema::Breach breach) noexcept {
  switch (breach) {
    case JsonSchema::Breach::none:
      return {};
    case JsonSchema::Breach::type:
      return "type_changed";
    case JsonSchema::Breach::key_missing:
      return "key_missing";
    case JsonSchema::Breach::key_renamed:
      return "key_renamed";
    case JsonSchema::Breach::key_unexpected:
      return "key_unexpected";
    case JsonSchema::Breach::value:
      return "value_not_allowed";
  }
  return {};
}

// A key that the family always has is not there. Where its holder has a key that the family never
// has, it was renamed.
std::string_view missing_key(const FlatJson& flat, const AnswerProfile& profile) {
  std::string_view found;
  for (const AnswerProfile::Path& path : profile.paths()) {
    if (!profile.required(path) || has(flat, path.path)) continue;
    // A part of something that is missing itself, or an item of a list that happens to be empty.
    const AnswerProfile::Path* holder = profile.find(path.parent);
    if (holder != nullptr && (!has(flat, path.parent) || (holder->types & kArray) != 0)) continue;
    const bool replaced =
        std::any_of(flat.nodes.begin(), flat.nodes.end(), [&](const JsonNode& node) {
          return node.parent == path.parent && profile.find(node.path) == nullptr;
        });
    if (replaced) return "key_renamed";
    found = "key_missing";
  }
  return found;
}

bool has_new_type(const FlatJson& flat, const AnswerProfile& profile) {
  return std::any_of(flat.nodes.begin(), flat.nodes.end(), [&](const JsonNode& node) {
    const AnswerProfile::Path* path = profile.find(node.path);
    return path != nullptr && profile.required(*path) && (path->types & node.type) == 0;
  });
}

std::string_view breach_of_profile(const FlatJson& flat, const AnswerProfile& profile) {
  if (const std::string_view missing = missing_key(flat, profile); !missing.empty()) return missing;
  return has_new_type(flat, profile) ? "type_changed" : "";
}

// What is wrong with this side alone.
std::string_view breach_of(const Side& side, const Expectations& expected) {
  const auto container = expected_container(expected);
  if (!side.form.valid) return side.form.container == Container::none ? "not_json" : "invalid";
  if (container && side.form.container != *container) return name_of(side.form.container);
  if (!side.root) return {};
  if (expected.answer_schema) return name_of(expected.answer_schema->check(*side.root));
  if (expected.profile == nullptr || !container || !side.flat.whole) return {};
  return breach_of_profile(side.flat, *expected.profile);
}

constexpr std::size_t kFreeText = 40;  // longer strings are sentences, not values
constexpr double kSameText = 0.3;
constexpr std::size_t kFewestWords = 3;

std::size_t size_of(Json value) {
  simdjson::dom::array array;
  return value.get(array) == simdjson::SUCCESS ? array.size() : 0;
}

bool values_agree(const JsonNode& here, const JsonNode& there) {
  if (here.type == kObject) return true;  // its members are nodes too
  if (here.type == kArray) return size_of(here.value) == size_of(there.value);
  std::string_view a, b;
  if (here.value.get(a) != simdjson::SUCCESS || there.value.get(b) != simdjson::SUCCESS) {
    return hash_of(here.value) == hash_of(there.value);
  }
  if (a == b || hash_of(a, Strings::lax) == hash_of(b, Strings::lax)) return true;
  if (a.size() <= kFreeText || b.size() <= kFreeText) return false;
  return word_share(a, b, kFewestWords).value_or(1.0) >= kSameText;
}

// The words for how two documents differ, the worst first.
struct Differences {
  bool type_changed = false;
  bool key_missing = false;
  bool key_extra = false;
  bool key_renamed = false;
  bool value_new = false;
  bool leaf_differs = false;

  std::string_view name() const noexcept {
    if (key_renamed) return "key_renamed";
    if (key_missing) return "key_missing";
    if (type_changed) return "type_changed";
    if (value_new) return "enum_new";
    if (leaf_differs) return "leaf_differs";
    return key_extra ? "key_extra" : "";
  }
};

bool is_leaf(const JsonNode& node) noexcept {
  return node.type != kArray && node.type != kObject;
}

// Keys of one document that the other has not, by the path of what holds them.
std::vector<std::uint64_t> holders_of_lacking(const FlatJson& in, const FlatJson& lacking) {
  std::vector<std::uint64_t> holders;
  for (const JsonNode& node : in.nodes) {
    if (node.parent == 0 || has(lacking, node.path) || !has(lacking, node.parent)) continue;
    const auto parents = nodes_of(lacking, node.parent);
    // Lists may be longer or shorter.
    if (std::any_of(parents.begin(), parents.end(),
                    [](const JsonNode& parent) { return parent.type == kObject; })) {
      holders.push_back(node.parent);
    }
  }
  std::sort(holders.begin(), holders.end());
  return holders;
}

void compare_places(FlatJson here, FlatJson there, Differences& into) {
  const auto by_place = [](const JsonNode& a, const JsonNode& b) { return a.place < b.place; };
  for (FlatJson* flat : {&here, &there}) {
    std::sort(flat->nodes.begin(), flat->nodes.end(), by_place);
  }
  auto other = there.nodes.begin();
  for (const JsonNode& node : here.nodes) {
    while (other != there.nodes.end() && other->place < node.place) ++other;
    if (other == there.nodes.end()) break;
    if (other->place != node.place) continue;
    if (node.type != other->type) {
      into.type_changed = into.type_changed || (node.type != kNull && other->type != kNull);
      into.leaf_differs = true;
    } else if (!into.leaf_differs) {
      into.leaf_differs = !values_agree(node, *other);
    }
  }
}

bool has_new_value(const FlatJson& flat, const AnswerProfile& profile) {
  return std::any_of(flat.nodes.begin(), flat.nodes.end(), [&](const JsonNode& node) {
    if (!is_leaf(node)) return false;
    const AnswerProfile::Path* path = profile.find(node.path);
    return path != nullptr && profile.is_new_value(*path, hash_of(node.value));
  });
}

Differences differences(const Side& served, const Side& other, const AnswerProfile* profile) {
  Differences found;
  if (!is_whole(served) || !is_whole(other)) return found;
  if (hash_of(*served.root) == hash_of(*other.root)) return found;
  const auto missing = holders_of_lacking(served.flat, other.flat);
  const auto extra = holders_of_lacking(other.flat, served.flat);
  found.key_missing = !missing.empty();
  found.key_extra = !extra.empty();
  found.key_renamed = std::any_of(missing.begin(), missing.end(), [&extra](std::uint64_t holder) {
    return std::binary_search(extra.begin(), extra.end(), holder);
  });
  compare_places(served.flat, other.flat, found);
  found.value_new = profile != nullptr && has_new_value(other.flat, *profile) &&
                    !has_new_value(served.flat, *profile);
  return found;
}

bool calls_tools(const Observation& seen) noexcept {
  return !seen.answer.tool_calls.empty();
}

}  // namespace

std::optional<Finding> json_contract(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  // A turn that calls tools answers later.
  if (!both_answered(pair) || calls_tools(served) || calls_tools(other)) return std::nullopt;
  Side here, there;
  std::string joined_here, joined_there;
  read(served.answer.text, expected, joined_here, here);
  read(other.answer.text, expected, joined_there, there);
  const bool any =
      here.form.container != Container::none || there.form.container != Container::none;
  if (!any && !expected_container(expected)) return std::nullopt;

  Finding finding{.signal = Signal::json_contract};
  const std::string_view served_breach = breach_of(here, expected);
  const std::string_view other_breach = breach_of(there, expected);
  const Differences found = differences(here, there, expected.profile);
  finding.served_bad = !served_breach.empty();
  finding.other_bad = !other_breach.empty();
  const bool same_form =
      here.form.container == there.form.container && here.form.valid == there.form.valid;
  finding.diverges = !same_form || served_breach != other_breach || !found.name().empty();
  finding.detail = other_breach.empty() ? served_breach : other_breach;
  if (finding.detail.empty()) {
    finding.detail = same_form ? found.name() : name_of(there.form.container);
  }
  return finding;
}

}  // namespace understudy::metrics::divergence
