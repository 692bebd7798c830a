#pragma once
// Puts type, length and a keyed hash in the place of every value, so that records can be compared
// and counted but not read. Equal values of one process have equal hashes; without its key nobody
// can test a guess. Used on one thread.

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "metrics/json_fwd.h"

namespace understudy::metrics {

class Redactor {
 public:
  // Documents with more values than this become one value: a record must not grow without bound.
  static constexpr std::size_t kMaxValues = 20'000;

  explicit Redactor(std::string_view key);

  // {"type": "string", "bytes": 12, "hash": "..."}
  nlohmann::ordered_json text(std::string_view value) const;
  // The same tree with its keys, every other value redacted; text that is no JSON is redacted as a
  // whole. Keys that look like data, not like names, are hashed too.
  nlohmann::ordered_json document(std::string_view json) const;

 private:
  nlohmann::ordered_json leaf(const char* type, std::string_view value) const;
  nlohmann::ordered_json tree(Json json, std::size_t& values_left) const;
  std::string hash(std::string_view value) const;

  std::array<unsigned char, 192> secret_{};
};

// A tool's name, an error's type, a stop reason: kept as it is where it is short and made of name
// characters, else "invalid". A model may make them up.
std::string name_or_invalid(std::string_view name);

}  // namespace understudy::metrics
