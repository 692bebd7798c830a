#include "metrics/divergence/json_pair.h"

#include <algorithm>
#include <utility>

#include "metrics/divergence/answer_profile.h"
#include "metrics/divergence/word_share.h"

namespace understudy::metrics::divergence {

namespace {

constexpr std::size_t kFreeText = 40;  // longer strings are sentences, not values
constexpr double kSameText = 0.3;
constexpr std::size_t kFewestWords = 3;

// An answer that goes on from the request's own beginning is JSON only together with it.
void read(std::string_view text, const Expectations& expected, JsonAnswer& into) {
  into.form = json_form(text);
  if (!into.form.valid && !expected.prefill.empty()) {
    into.joined = expected.prefill;
    into.joined += text;
    if (const JsonForm whole = json_form(into.joined); whole.valid) into.form = whole;
  }
  if (!into.form.valid) return;
  into.root = into.parser.parse(into.form.json);
  if (!into.root) return;
  into.flat = flatten(*into.root);
  std::stable_sort(into.flat.nodes.begin(), into.flat.nodes.end(),
                   [](const JsonNode& a, const JsonNode& b) { return a.path < b.path; });
}

std::optional<Container> container_of(const Expectations& expected) {
  if (expected.json) return Container::bare;
  return expected.profile != nullptr ? expected.profile->container() : std::nullopt;
}

bool calls_tools(const Observation& seen) noexcept {
  return !seen.answer.tool_calls.empty();
}

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

std::vector<JsonNode> by_place(std::vector<JsonNode> nodes) {
  std::sort(nodes.begin(), nodes.end(),
            [](const JsonNode& a, const JsonNode& b) { return a.place < b.place; });
  return nodes;
}

}  // namespace

JsonPair::JsonPair(const Pair& pair)
    : applies_(both_answered(pair) && !calls_tools(pair.served) && !calls_tools(pair.other)),
      contract_(container_of(pair.expected)) {
  if (!applies_) return;
  read(pair.served.answer.text, pair.expected, served);
  read(pair.other.answer.text, pair.expected, other);
  if (!served.was_read_whole() || !other.was_read_whole()) return;
  equal_ = hash_of(*served.root) == hash_of(*other.root);
  if (!equal_) compare_places();
}

void JsonPair::compare_places() {
  const std::vector<JsonNode> there = by_place(other.flat.nodes);
  auto at = there.begin();
  for (const JsonNode& node : by_place(served.flat.nodes)) {
    while (at != there.end() && at->place < node.place) ++at;
    if (at == there.end()) break;
    if (at->place != node.place) continue;
    if (node.type != at->type) {
      type_differs_ = type_differs_ || (node.type != kNull && at->type != kNull);
      leaf_differs_ = true;
    } else if (!leaf_differs_) {
      leaf_differs_ = !values_agree(node, *at);
    }
  }
}

}  // namespace understudy::metrics::divergence
