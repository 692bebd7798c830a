#include "routing/rewrite.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

namespace understudy::routing {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxDepth = 128;
// An ordered object is searched from its front, so a huge one would take quadratic time.
constexpr std::size_t kMaxMembers = 4096;

// A decimal number as its significant digits and the power of ten behind the last of them.
struct Decimal {
  bool negative = false;
  std::string digits;  // no zeros at either end; empty for zero
  long long exponent = 0;
  friend bool operator==(const Decimal&, const Decimal&) = default;
};

// `text` is a JSON number. Nothing where its exponent is beyond anything that could be equal to
// another.
std::optional<Decimal> decimal(std::string_view text) {
  Decimal out;
  out.negative = text.starts_with('-');
  const std::size_t e = std::min(text.size(), text.find_first_of("eE"));
  if (text.size() - e > 8) return std::nullopt;
  if (e + 1 < text.size()) out.exponent = std::stoll(std::string(text.substr(e + 1)));
  bool behind_point = false;
  for (const char c : text.substr(0, e)) {
    if (c == '.') behind_point = true;
    if (c < '0' || c > '9') continue;
    out.digits += c;
    if (behind_point) --out.exponent;
  }
  while (!out.digits.empty() && out.digits.back() == '0') {
    out.digits.pop_back();
    ++out.exponent;
  }
  out.digits.erase(0, std::min(out.digits.size(), out.digits.find_first_not_of('0')));
  if (out.digits.empty()) return Decimal{};
  return out;
}

// Walks the text before a tree is built of it and refuses what a tree would not keep.
class Inspector : public nlohmann::json_sax<Json> {
 public:
  const char* problem() const noexcept { return problem_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t value, const string_t& written) override {
    const auto before = decimal(written);
    if (before && before == decimal(Json(value).dump())) return true;
    return refuse("a number would lose digits");
  }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return open(); }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) return refuse("an object has a key twice");
    return keys_.back().size() <= kMaxMembers || refuse("an object has too many members");
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("the body is no JSON");
  }

 private:
  bool open() {
    if (keys_.size() == kMaxDepth) return refuse("the body is nested too deeply");
    keys_.emplace_back();
    return true;
  }
  bool close() {
    keys_.pop_back();
    return true;
  }
  bool refuse(const char* problem) {
    problem_ = problem;
    return false;
  }

  const char* problem_ = "the body is no JSON";
  std::vector<std::unordered_set<std::string>> keys_;  // of each open object; arrays have none
};

bool applies(const RewriteRule& rule, Operation operation) noexcept {
  return is_understood(operation) &&
         (rule.operations.empty() ||
          std::ranges::find(rule.operations, operation) != rule.operations.end());
}

bool remove_value(Json& body, const std::string& pointer) {
  const Json::json_pointer path(pointer);
  if (!body.contains(path)) return false;
  Json& parent = body[path.parent_pointer()];
  if (parent.is_object()) {
    parent.erase(path.back());
  } else {
    parent.erase(static_cast<Json::size_type>(std::stoull(path.back())));
  }
  return true;
}

bool set_value(Json& body, const RewriteRule& rule) {
  const Json::json_pointer path(rule.pointer);
  if (!body.contains(path)) return false;
  Json value = Json::parse(rule.json);
  Json& place = body[path];
  if (place == value) return false;
  place = std::move(value);
  return true;
}

// A step that does not apply (an absent path, a failed test) leaves the body as it was.
bool patch(Json& body, const RewriteRule& rule) {
  const Json steps = Json::parse(rule.json);
  try {
    Json patched = body.patch(steps);
    if (patched == body) return false;
    body = std::move(patched);
    return true;
  } catch (const Json::out_of_range&) {
    return false;
  } catch (const Json::other_error&) {
    return false;
  } catch (const Json::parse_error&) {
    return false;  // an array index that is none, where the body has an array in an object's place
  }
}

bool stands(const Json& body, const std::string& pointer) {
  return body.contains(Json::json_pointer(pointer));
}

bool lower_to(Json& body, const RewriteRule& rule) {
  const Json::json_pointer path(rule.pointer);
  if (!body.contains(path)) return false;
  Json& place = body[path];
  Json most = Json::parse(rule.json);
  if (!place.is_number() || place <= most) return false;
  place = std::move(most);
  return true;
}

bool drop_prefill(Json& body, const RewriteRule& rule) {
  const Json::json_pointer path(rule.pointer);
  if (!body.contains(path) || !body[path].is_array()) return false;
  Json& turns = body[path];
  const auto ends_with_assistant = [&turns] {
    return turns.size() > 1 && turns.back().is_object() && turns.back().contains("role") &&
           turns.back()["role"] == "assistant";
  };
  if (!ends_with_assistant()) return false;
  while (ends_with_assistant()) turns.erase(turns.size() - 1);
  return true;
}

bool apply(const RewriteRule& rule, Json& body) {
  switch (rule.kind) {
    case RewriteRule::Kind::remove:
      return remove_value(body, rule.pointer);
    case RewriteRule::Kind::set:
      return set_value(body, rule);
    case RewriteRule::Kind::json_patch:
      return patch(body, rule);
    case RewriteRule::Kind::remove_beside:
      return stands(body, rule.beside) && remove_value(body, rule.pointer);
    case RewriteRule::Kind::at_most:
      return lower_to(body, rule);
    case RewriteRule::Kind::set_where:
      return stands(body, rule.beside) &&
             body[Json::json_pointer(rule.beside)] == Json::parse(rule.where) &&
             set_value(body, rule);
    case RewriteRule::Kind::drop_prefill:
      return drop_prefill(body, rule);
  }
  return false;
}

std::variant<Rewritten, RewriteProblem> rewrite_json(std::span<const RewriteRule> rules,
                                                     Operation operation, std::string_view text) {
  Inspector inspector;
  if (!Json::sax_parse(text, &inspector)) return RewriteProblem{inspector.problem()};
  Json body = Json::parse(text);
  Rewritten rewritten;
  for (const RewriteRule& rule : rules) {
    if (!applies(rule, operation) || !apply(rule, body)) continue;
    ++rewritten.applied;
    if (!rule.preset.empty() &&
        std::ranges::find(rewritten.presets, rule.preset) == rewritten.presets.end()) {
      rewritten.presets.push_back(rule.preset);
    }
  }
  if (rewritten.applied > 0) rewritten.body = body.dump();
  return rewritten;
}

}  // namespace

bool concerns(std::span<const RewriteRule> rules, Operation operation) noexcept {
  return std::ranges::any_of(
      rules, [operation](const RewriteRule& rule) { return applies(rule, operation); });
}

std::variant<Rewritten, RewriteProblem> rewrite(std::span<const RewriteRule> rules,
                                                Operation operation, std::string_view body) {
  if (!concerns(rules, operation)) return Rewritten{};
  try {
    return rewrite_json(rules, operation, body);
  } catch (const std::exception&) {
    // The library's messages quote the body.
    return RewriteProblem{"a rule cannot be applied to this body"};
  }
}

VariantBody variant_body(std::span<const RewriteRule> rules, Operation operation,
                         const ModelSwap& swap, std::string_view body) {
  VariantBody made;
  if (!swap.model.empty() && swap.offset <= body.size() && swap.size <= body.size() - swap.offset) {
    made.bytes.reserve(body.size() - swap.size + swap.model.size());
    made.bytes.append(body.substr(0, swap.offset)).append(swap.model);
    made.bytes.append(body.substr(swap.offset + swap.size));
    made.changed = true;
  }
  auto outcome = rewrite(rules, operation, made.changed ? std::string_view{made.bytes} : body);
  if (auto* problem = std::get_if<RewriteProblem>(&outcome)) {
    made.problem = std::move(*problem);
  } else if (auto& done = std::get<Rewritten>(outcome); done.applied > 0) {
    made.bytes = std::move(done.body);
    made.changed = true;
    made.presets = std::move(done.presets);
  }
  return made;
}

}  // namespace understudy::routing
