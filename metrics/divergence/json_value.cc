#include "metrics/divergence/json_value.h"

#include <bit>
#include <cmath>
#include <string>

#include "routing/hash.h"

namespace understudy::metrics::divergence {

namespace {

constexpr std::uint64_t kRoot = 0x9E3779B97F4A7C15u;
constexpr std::uint64_t kArrayStep = 0xD1B54A32D192ED03u;

// The finalizer of SplitMix64.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t hash = (a ^ std::rotl(b, 32)) * 0xBF58476D1CE4E5B9u;
  hash = (hash ^ (hash >> 29) ^ b) * 0x94D049BB133111EBu;
  return hash ^ (hash >> 32);
}

// What BFCL's checker takes out of strings before it compares them.
std::string lax_text(std::string_view text) {
  std::string kept;
  kept.reserve(text.size());
  for (const char c : text) {
    if (std::string_view{" ,./-_*^"}.find(c) != std::string_view::npos) continue;
    if (c >= 'A' && c <= 'Z') {
      kept.push_back(static_cast<char>(c | 0x20));
    } else {
      kept.push_back(c == '\'' ? '"' : c);
    }
  }
  return kept;
}

std::uint64_t hash_of_number(Json value) noexcept {
  double number = 0.0;
  if (value.get(number) != simdjson::SUCCESS) return kNumber;  // whole numbers convert
  if (std::fpclassify(number) == FP_ZERO) number = 0.0;        // without its sign
  return mix(kNumber, std::bit_cast<std::uint64_t>(number));
}

class Flattening {
 public:
  explicit Flattening(FlatJson& into) : into_(into) {}

  void add(Json value, std::uint64_t path, std::uint64_t parent, std::uint64_t place) {
    if (into_.nodes.size() >= FlatJson::kMaxNodes) {
      into_.whole = false;
      return;
    }
    const JsonType type = type_of(value);
    into_.nodes.push_back(
        {.path = path, .parent = parent, .place = place, .value = value, .type = type});
    if (type == kObject) add_members(value, path, place);
    if (type == kArray) add_elements(value, path, place);
  }

 private:
  void add_members(Json value, std::uint64_t path, std::uint64_t place) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return;
    for (const auto member : object) {
      const std::uint64_t key = hash_of(member.key);
      add(member.value, mix(path, key), path, mix(place, key));
      if (!into_.whole) return;
    }
  }

  void add_elements(Json value, std::uint64_t path, std::uint64_t place) {
    simdjson::dom::array array;
    if (value.get(array) != simdjson::SUCCESS) return;
    std::uint64_t index = 0;
    for (const Json item : array) {
      add(item, mix(path, kArrayStep), path, mix(place, kArrayStep + ++index));
      if (!into_.whole) return;
    }
  }

  FlatJson& into_;
};

}  // namespace

JsonType type_of(Json value) noexcept {
  switch (value.type()) {
    case simdjson::dom::element_type::ARRAY:
      return kArray;
    case simdjson::dom::element_type::OBJECT:
      return kObject;
    case simdjson::dom::element_type::INT64:
    case simdjson::dom::element_type::UINT64:
    case simdjson::dom::element_type::DOUBLE:
      return kNumber;
    case simdjson::dom::element_type::STRING:
      return kString;
    case simdjson::dom::element_type::BOOL:
      return kBoolean;
    case simdjson::dom::element_type::NULL_VALUE:
      return kNull;
  }
  return kNull;
}

bool is_whole_number(Json value) noexcept {
  double number = 0.5;
  return value.get(number) == simdjson::SUCCESS && std::trunc(number) >= number &&
         std::trunc(number) <= number;
}

std::uint64_t hash_of(std::string_view text, Strings strings) {
  return strings == Strings::exact ? routing::hash64(text) : routing::hash64(lax_text(text));
}

std::uint64_t hash_of(Json value, Strings strings) {
  const JsonType type = type_of(value);
  std::uint64_t hash = mix(type, 0);
  if (type == kObject) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return hash;
    for (const auto member : object) {
      hash += mix(hash_of(member.key), hash_of(member.value, strings));
    }
  } else if (type == kArray) {
    simdjson::dom::array array;
    if (value.get(array) != simdjson::SUCCESS) return hash;
    for (const Json item : array) hash = mix(hash, hash_of(item, strings));
  } else if (type == kString) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) hash = mix(hash, hash_of(text, strings));
  } else if (type == kNumber) {
    return hash_of_number(value);
  } else if (type == kBoolean) {
    bool truth = false;
    if (value.get(truth) == simdjson::SUCCESS) hash = mix(hash, truth ? 2u : 1u);
  }
  return hash;
}

FlatJson flatten(Json root) {
  FlatJson flat;
  Flattening{flat}.add(root, kRoot, 0, kRoot);
  return flat;
}

}  // namespace understudy::metrics::divergence
