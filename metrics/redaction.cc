#include "metrics/redaction.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "metrics/json_reader.h"
#include "routing/hash.h"

namespace understudy::metrics {

namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kMaxName = 64;  // of a tool (ToolSpecification, Bedrock API Reference)

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.' || c == '$';
         });
}

const char* type_name(Json json) {
  using Type = simdjson::dom::element_type;
  switch (json.type()) {
    case Type::ARRAY:
      return "array";
    case Type::OBJECT:
      return "object";
    case Type::INT64:
    case Type::UINT64:
    case Type::DOUBLE:
      return "number";
    case Type::STRING:
      return "string";
    case Type::BOOL:
      return "boolean";
    case Type::NULL_VALUE:
      return "null";
  }
  return "null";
}

}  // namespace

std::string name_or_invalid(std::string_view name) {
  if (name.empty()) return {};
  return is_name(name) ? std::string{name} : "invalid";
}

Redactor::Redactor(std::string_view key) {
  XXH3_generateSecret(secret_.data(), secret_.size(), key.data(), key.size());
}

std::string Redactor::hash(std::string_view value) const {
  return routing::hex(
      XXH3_64bits_withSecret(value.data(), value.size(), secret_.data(), secret_.size()));
}

OrderedJson Redactor::leaf(const char* type, std::string_view value) const {
  return {{"type", type}, {"bytes", value.size()}, {"hash", hash(value)}};
}

OrderedJson Redactor::text(std::string_view value) const {
  return leaf("string", value);
}

OrderedJson Redactor::document(std::string_view json) const {
  JsonParser parser;
  const auto root = parser.parse(json);
  if (!root) return leaf("text", json);
  std::size_t values_left = kMaxValues;
  OrderedJson redacted = tree(*root, values_left);
  return values_left == 0 ? leaf(type_name(*root), json) : redacted;
}

// Recursion ends at the parser's depth.
OrderedJson Redactor::tree(Json json, std::size_t& values_left) const {
  if (values_left == 0) return nullptr;
  --values_left;
  if (simdjson::dom::object object; json.get(object) == simdjson::SUCCESS) {
    OrderedJson redacted = OrderedJson::object();
    for (const auto& [key, value] : object) {
      if (values_left == 0) break;
      // ordered_json looks a key up in a row: push back instead, or a wide object takes quadratic
      // time.
      redacted.get_ref<OrderedJson::object_t&>().emplace_back(
          is_name(key) ? std::string{key} : "key " + hash(key), tree(value, values_left));
    }
    return redacted;
  }
  if (simdjson::dom::array array; json.get(array) == simdjson::SUCCESS) {
    OrderedJson redacted = OrderedJson::array();
    for (const Json item : array) {
      if (values_left == 0) break;
      redacted.push_back(tree(item, values_left));
    }
    return redacted;
  }
  if (std::string_view text; json.get(text) == simdjson::SUCCESS) return leaf("string", text);
  return leaf(type_name(json), text_of(json));
}

}  // namespace understudy::metrics
