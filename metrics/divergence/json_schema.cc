#include "metrics/divergence/json_schema.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "metrics/divergence/json_value.h"
#include "metrics/json_reader.h"

namespace understudy::metrics::divergence {

namespace {

struct NamedType {
  std::string_view name;
  std::uint8_t types;
};
constexpr std::array kTypes{
    NamedType{"null", kNull},      NamedType{"boolean", kBoolean}, NamedType{"number", kNumber},
    NamedType{"integer", kNumber}, NamedType{"string", kString},   NamedType{"array", kArray},
    NamedType{"object", kObject},
};

std::uint8_t types_of(std::string_view name) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(),
                                   [name](const NamedType& each) { return each.name == name; });
  return found != kTypes.end() ? found->types : std::uint8_t{0xFF};
}

}  // namespace

class SchemaCompiler {
 public:
  SchemaCompiler(JsonSchema& into, Json root) : into_(into), root_(root) {}

  JsonSchema::Index compile(Json schema);

 private:
  using Node = JsonSchema::Node;
  using Index = JsonSchema::Index;

  Index follow(std::string_view reference);
  static void read_types(Json schema, Node& node);
  static void read_values(Json schema, Node& node);
  void read_properties(Json schema, Node& node);
  std::vector<Index> compile_all(Json schema, std::string_view key);

  JsonSchema& into_;
  Json root_;
  std::map<std::string, Index, std::less<>> references_;
  int depth_ = 0;  // of compile(); a chain of $refs goes deeper than the document
};

// The node is filled beside the list, for what it holds makes the list grow.
JsonSchema::Index SchemaCompiler::compile(Json schema) {
  constexpr int kMaxDepth = 256;
  if (!is_object(schema) || into_.nodes_.size() >= JsonSchema::kMaxNodes || depth_ >= kMaxDepth) {
    return JsonSchema::kAnything;
  }
  ++depth_;
  const auto index = static_cast<Index>(into_.nodes_.size());
  into_.nodes_.emplace_back();
  Node node;
  if (const auto reference = string_at(schema, "$ref")) {
    node.all_of.push_back(follow(*reference));
  }
  read_types(schema, node);
  read_values(schema, node);
  for_each_at(schema, "required", [&node](Json name) {
    std::string_view text;
    if (name.get(text) == simdjson::SUCCESS) node.required.emplace_back(text);
  });
  read_properties(schema, node);
  if (const auto items = member(schema, "items")) node.items = compile(*items);
  for (const std::string_view key : {"anyOf", "oneOf"}) {
    for (const Index each : compile_all(schema, key)) node.any_of.push_back(each);
  }
  for (const Index each : compile_all(schema, "allOf")) node.all_of.push_back(each);
  into_.nodes_[index] = std::move(node);
  --depth_;
  return index;
}

JsonSchema::Index SchemaCompiler::follow(std::string_view reference) {
  if (!reference.starts_with('#')) return JsonSchema::kAnything;
  if (const auto known = references_.find(reference); known != references_.end()) {
    return known->second;
  }
  const std::string_view pointer = reference.substr(1);
  Json target = root_;
  if (!pointer.empty() && root_.at_pointer(pointer).get(target) != simdjson::SUCCESS) {
    return JsonSchema::kAnything;
  }
  // Known before it is compiled: schemas of trees refer to themselves.
  const auto next = static_cast<Index>(into_.nodes_.size());
  references_.emplace(reference, next);
  const Index compiled = compile(target);
  references_.find(reference)->second = compiled;
  return compiled;
}

void SchemaCompiler::read_types(Json schema, Node& node) {
  const auto type = member(schema, "type");
  if (!type) return;
  if (const auto name = string_at(schema, "type")) {
    node.types = types_of(*name);
    node.whole_numbers = *name == "integer";
    return;
  }
  std::uint8_t types = 0;
  bool fractions = false;
  for_each_at(schema, "type", [&](Json each) {
    std::string_view name;
    if (each.get(name) != simdjson::SUCCESS) return;
    types = static_cast<std::uint8_t>(types | types_of(name));
    fractions = fractions || name == "number";
    node.whole_numbers = node.whole_numbers || name == "integer";
  });
  node.whole_numbers = node.whole_numbers && !fractions;
  if (types != 0) node.types = types;
}

void SchemaCompiler::read_values(Json schema, Node& node) {
  for_each_at(schema, "enum", [&node](Json value) {
    node.listed_only = true;
    node.allowed.push_back(hash_of(value));
  });
  if (const auto value = member(schema, "const")) {
    node.listed_only = true;
    node.allowed.push_back(hash_of(*value));
  }
}

void SchemaCompiler::read_properties(Json schema, Node& node) {
  if (const auto properties = member(schema, "properties")) {
    simdjson::dom::object object;
    if (properties->get(object) == simdjson::SUCCESS) {
      for (const auto property : object) {
        node.properties.emplace_back(property.key, compile(property.value));
      }
    }
    std::sort(node.properties.begin(), node.properties.end());
  }
  const auto additional = member(schema, "additionalProperties");
  if (!additional) return;
  bool allowed = true;
  if (additional->get(allowed) == simdjson::SUCCESS) {
    node.closed = !allowed;
  } else {
    node.additional = compile(*additional);
  }
}

std::vector<JsonSchema::Index> SchemaCompiler::compile_all(Json schema, std::string_view key) {
  std::vector<Index> compiled;
  for_each_at(schema, key, [&](Json each) { compiled.push_back(compile(each)); });
  return compiled;
}

// Checks one value; `left_` bounds what recursive schemas can cost.
class SchemaCheck {
 public:
  using Breach = JsonSchema::Breach;
  explicit SchemaCheck(const JsonSchema& schema) : schema_(schema) {}

  Breach check(Json value, JsonSchema::Index index) {
    if (index == JsonSchema::kAnything || left_ == 0 || depth_ >= kMaxDepth) return Breach::none;
    --left_;
    ++depth_;
    const Breach breach = check_node(value, schema_.nodes_[index]);
    --depth_;
    return breach;
  }

 private:
  using Node = JsonSchema::Node;
  static constexpr int kMaxDepth = 512;

  // Takes that many steps; false where they are used up.
  bool spend(std::size_t steps) noexcept;
  bool is_allowed(Json value, JsonType type, const Node& node);
  Breach check_node(Json value, const Node& node);
  Breach check_object(simdjson::dom::object object, const Node& node);
  Breach check_any(Json value, const Node& node);
  static bool has_all_required(simdjson::dom::object object, const Node& node);
  bool has_unknown_key(simdjson::dom::object object, const Node& node) const;
  JsonSchema::Index subschema(const Node& node, std::string_view key, bool& listed) const;

  const JsonSchema& schema_;
  std::size_t left_ = JsonSchema::kMaxChecks;
  int depth_ = 0;
};

bool SchemaCheck::spend(std::size_t steps) noexcept {
  left_ -= std::min(left_, steps);
  return left_ != 0;
}

// Lists of objects and arrays are not held against the value: each would be hashed again for every
// alternative.
bool SchemaCheck::is_allowed(Json value, JsonType type, const Node& node) {
  if (type == kObject || type == kArray) return true;
  constexpr std::size_t kBytesPerStep = 64;
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS && !spend(text.size() / kBytesPerStep)) return true;
  return std::find(node.allowed.begin(), node.allowed.end(), hash_of(value)) != node.allowed.end();
}

JsonSchema::Breach SchemaCheck::check_node(Json value, const Node& node) {
  const JsonType type = type_of(value);
  if ((node.types & type) == 0) return Breach::type;
  if (node.whole_numbers && type == kNumber && !is_whole_number(value)) return Breach::type;
  if (node.listed_only && !is_allowed(value, type, node)) return Breach::value;
  if (type == kObject) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return Breach::none;
    if (const Breach breach = check_object(object, node); breach != Breach::none) return breach;
  }
  if (type == kArray && node.items != JsonSchema::kAnything) {
    simdjson::dom::array array;
    if (value.get(array) != simdjson::SUCCESS) return Breach::none;
    for (const Json item : array) {
      if (const Breach breach = check(item, node.items); breach != Breach::none) return breach;
    }
  }
  for (const auto each : node.all_of) {
    if (const Breach breach = check(value, each); breach != Breach::none) return breach;
  }
  return check_any(value, node);
}

// What the first alternative says where none fits: alternatives rarely differ in their breach.
JsonSchema::Breach SchemaCheck::check_any(Json value, const Node& node) {
  Breach first = Breach::none;
  for (const auto each : node.any_of) {
    const Breach breach = check(value, each);
    if (breach == Breach::none) return Breach::none;
    // An alternative of the right type knows better what is wrong.
    if (first == Breach::none || first == Breach::type) first = breach;
  }
  return first;
}

// One pass over the object, whose look-up by key is a search.
bool SchemaCheck::has_all_required(simdjson::dom::object object, const Node& node) {
  std::vector<std::string_view> keys;
  for (const auto member : object) keys.push_back(member.key);
  std::sort(keys.begin(), keys.end());
  return std::all_of(node.required.begin(), node.required.end(), [&](const std::string& name) {
    return std::binary_search(keys.begin(), keys.end(), std::string_view{name});
  });
}

bool SchemaCheck::has_unknown_key(simdjson::dom::object object, const Node& node) const {
  if (node.properties.empty()) return false;
  for (const auto member : object) {
    bool listed = false;
    subschema(node, member.key, listed);
    if (!listed) return true;
  }
  return false;
}

JsonSchema::Index SchemaCheck::subschema(const Node& node, std::string_view key,
                                         bool& listed) const {
  const auto found = std::lower_bound(
      node.properties.begin(), node.properties.end(), key,
      [](const auto& property, std::string_view wanted) { return property.first < wanted; });
  listed = found != node.properties.end() && found->first == key;
  return listed ? found->second : node.additional;
}

JsonSchema::Breach SchemaCheck::check_object(simdjson::dom::object object, const Node& node) {
  if (!spend(object.size())) return Breach::none;
  if (!node.required.empty() && !has_all_required(object, node)) {
    return has_unknown_key(object, node) ? Breach::key_renamed : Breach::key_missing;
  }
  if (node.properties.empty() && !node.closed && node.additional == JsonSchema::kAnything) {
    return Breach::none;
  }
  Breach unexpected = Breach::none;
  for (const auto member : object) {
    bool listed = false;
    const auto index = subschema(node, member.key, listed);
    if (!listed && node.closed) {
      unexpected = Breach::key_unexpected;
      continue;
    }
    if (const Breach breach = check(member.value, index); breach != Breach::none) return breach;
  }
  return unexpected;
}

JsonSchema::JsonSchema(Json schema) {
  nodes_.emplace_back();
  root_ = SchemaCompiler{*this, schema}.compile(schema);
}

JsonSchema::Breach JsonSchema::check(Json value) const {
  return SchemaCheck{*this}.check(value, root_);
}

}  // namespace understudy::metrics::divergence
