#pragma once
// The part of JSON Schema that requests use: type, required, properties, items, enum, const,
// additionalProperties, anyOf, oneOf, allOf and local $ref. What is not understood allows
// everything, so a breach is never invented. A value: compiled once per exchange, read from any
// thread.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "metrics/json_fwd.h"

namespace understudy::metrics::divergence {

class JsonSchema {
 public:
  static constexpr std::size_t kMaxNodes = 1024;      // further subschemas allow everything
  static constexpr std::size_t kMaxChecks = 100'000;  // steps; a value not checked by then passes

  // The first breach in the order of the schema. A required key that is missing where a key stands
  // that the schema does not know was renamed.
  enum class Breach : std::uint8_t { none, type, key_missing, key_renamed, key_unexpected, value };

  explicit JsonSchema(Json schema);
  Breach check(Json value) const;

 private:
  friend class SchemaCompiler;
  friend class SchemaCheck;
  using Index = std::uint32_t;
  static constexpr Index kAnything = 0;  // the first node allows everything
  struct Node {
    std::uint8_t types = 0xFF;  // JsonType mask
    bool whole_numbers = false;
    bool listed_only = false;  // enum or const: `allowed` is exhaustive
    bool closed = false;       // additionalProperties: false
    std::vector<std::string> required;
    std::vector<std::pair<std::string, Index>> properties;  // sorted by name
    std::vector<std::uint64_t> allowed;                     // hashes of values
    std::vector<Index> any_of, all_of;
    Index additional = kAnything;
    Index items = kAnything;
  };
  std::vector<Node> nodes_;
  Index root_ = kAnything;
};

}  // namespace understudy::metrics::divergence
