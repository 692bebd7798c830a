// JSON that callers parse. What is held against either side alone, by the same rule: the container,
// the validity, the request's schema or else what the family's answers have always had. What needs
// both sides: keys that differ.

#include <algorithm>
#include <span>
#include <vector>

#include "metrics/divergence/answer_profile.h"
#include "metrics/divergence/json_pair.h"

namespace understudy::metrics::divergence {

namespace {

std::span<const JsonNode> nodes_of(const FlatJson& flat, std::uint64_t path) {
  const auto [first, last] =
      std::equal_range(flat.nodes.begin(), flat.nodes.end(), JsonNode{.path = path, .value = {}},
                       [](const JsonNode& a, const JsonNode& b) { return a.path < b.path; });
  return {first, last};
}

bool has(const FlatJson& flat, std::uint64_t path) {
  return !nodes_of(flat, path).empty();
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

// What is wrong with a form that is not the one that was wanted.
std::string_view breach_of_form(const JsonForm& form) noexcept {
  return form.valid || form.container == Container::none ? name_of(form.container) : "invalid";
}

// What is wrong with this side alone.
std::string_view breach_of_contract(const JsonAnswer& side, Container contract,
                                    const Expectations& expected) {
  if (!side.form.valid || side.form.container != contract) return breach_of_form(side.form);
  if (!side.root) return {};
  if (expected.answer_schema) return name_of(expected.answer_schema->check(*side.root));
  if (expected.profile == nullptr || !side.flat.whole) return {};
  return breach_of_profile(side.flat, *expected.profile);
}

// How far the answer is from what a parser takes.
int distance(const JsonAnswer& side) noexcept {
  if (!side.is_all_json()) return 2;
  return side.form.container == Container::fenced ? 1 : 0;
}

std::string_view breach_beside(const JsonAnswer& side, const JsonAnswer& beside) noexcept {
  return distance(side) > distance(beside) ? breach_of_form(side.form) : "";
}

// The words for how two documents differ, the worst first.
struct Differences {
  bool type_changed = false;
  bool key_missing = false;
  bool key_extra = false;
  bool key_renamed = false;
  bool value_new = false;

  std::string_view name() const noexcept {
    if (key_renamed) return "key_renamed";
    if (key_missing) return "key_missing";
    if (type_changed) return "type_changed";
    if (value_new) return "enum_new";
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

bool has_new_value(const FlatJson& flat, const AnswerProfile& profile) {
  return std::any_of(flat.nodes.begin(), flat.nodes.end(), [&](const JsonNode& node) {
    if (!is_leaf(node)) return false;
    const AnswerProfile::Path* path = profile.find(node.path);
    return path != nullptr && profile.is_new_value(*path, hash_of(node.value));
  });
}

Differences differences(const JsonPair& json, const AnswerProfile* profile) {
  const JsonAnswer& served = json.served;
  const JsonAnswer& other = json.other;
  Differences found;
  if (!served.was_read_whole() || !other.was_read_whole() || json.equal()) return found;
  const auto missing = holders_of_lacking(served.flat, other.flat);
  const auto extra = holders_of_lacking(other.flat, served.flat);
  found.key_missing = !missing.empty();
  found.key_extra = !extra.empty();
  found.key_renamed = std::any_of(missing.begin(), missing.end(), [&extra](std::uint64_t holder) {
    return std::binary_search(extra.begin(), extra.end(), holder);
  });
  found.type_changed = json.type_differs();
  found.value_new = profile != nullptr && has_new_value(other.flat, *profile) &&
                    !has_new_value(served.flat, *profile);
  return found;
}

struct Breaches {
  std::string_view served, other;
};

Breaches breaches(const JsonPair& json, const Expectations& expected) {
  if (const auto contract = json.contract())
    return {breach_of_contract(json.served, *contract, expected),
            breach_of_contract(json.other, *contract, expected)};
  return {breach_beside(json.served, json.other), breach_beside(json.other, json.served)};
}

}  // namespace

std::optional<Finding> json_contract(const Pair& pair, const JsonPair& json) {
  if (!json.applies()) return std::nullopt;
  const JsonForm& here = json.served.form;
  const JsonForm& there = json.other.form;
  const bool any = here.container != Container::none || there.container != Container::none;
  if (!any && !json.contract()) return std::nullopt;

  Finding finding{.signal = Signal::json_contract};
  const Breaches found = breaches(json, pair.expected);
  const std::string_view difference = differences(json, pair.expected.profile).name();
  finding.served_bad = !found.served.empty();
  finding.other_bad = !found.other.empty();
  const bool same_form = here.container == there.container && here.valid == there.valid;
  finding.diverges = !same_form || found.served != found.other || !difference.empty();
  finding.detail = found.other.empty() ? found.served : found.other;
  if (finding.detail.empty()) finding.detail = same_form ? difference : breach_of_form(there);
  return finding;
}

}  // namespace understudy::metrics::divergence
