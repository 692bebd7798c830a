#pragma once
// JSON values held against each other: types, hashes that do not mind how a value is written, and a
// flat list of everything a document holds. Bounded: JsonParser ends at 128 levels, flatten() at
// kMaxNodes.

#include <cstdint>
#include <string_view>
#include <vector>

#include "metrics/json_reader.h"

namespace understudy::metrics::divergence {

// One bit each, so that sets of types are masks. A whole number is a number too.
enum JsonType : std::uint8_t {
  kNull = 1,
  kBoolean = 2,
  kNumber = 4,
  kString = 8,
  kArray = 16,
  kObject = 32,
};
JsonType type_of(Json value) noexcept;
bool is_whole_number(Json value) noexcept;

// Equal for equal values: objects without order, arrays in order, numbers as doubles (1 is 1.0).
// Stable over restarts; not for secrets.
enum class Strings : std::uint8_t {
  exact,
  lax,  // BFCL's rule: without " ,./-_*^", lower case, ' for "
};
std::uint64_t hash_of(Json value, Strings strings = Strings::exact);
std::uint64_t hash_of(std::string_view text, Strings strings = Strings::exact);

// A value's place in a document. `path` names it with array indices blurred ("items[].price"), as a
// contract does; `place` with the index.
struct JsonNode {
  std::uint64_t path = 0;
  std::uint64_t parent = 0;  // path of what holds it
  std::uint64_t place = 0;
  Json value;
  JsonType type = kNull;
};

struct FlatJson {
  static constexpr std::size_t kMaxNodes = 8192;
  std::vector<JsonNode> nodes;  // in document order, the root first
  bool whole = true;            // false: larger than kMaxNodes, the rest was left out
};
// The nodes view the parser's tree.
FlatJson flatten(Json root);

}  // namespace understudy::metrics::divergence
