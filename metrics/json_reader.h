#pragma once
// A forgiving way to ask a JSON tree: what is absent or of another type is simply not there. Trees
// belong to the parser and die with its next parse. Not shared between threads.

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/json_fwd.h"

namespace understudy::metrics {

class JsonParser {
 public:
  static constexpr std::size_t kMaxDepth = 128;
  static constexpr std::size_t kMaxBytes = 32u << 20;  // Bedrock's bodies end at 25 MB

  JsonParser();
  ~JsonParser();  // leaves its buffers to the thread's next parser, unless they are large
  JsonParser(const JsonParser&) = delete;
  JsonParser& operator=(const JsonParser&) = delete;

  // None for what is no JSON, too deep, too large or not UTF-8. `text` need not outlive the tree.
  std::optional<Json> parse(std::string_view text);

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

std::optional<Json> member(Json json, std::string_view key) noexcept;
// The n-th element of an array.
std::optional<Json> element(Json json, std::size_t n) noexcept;
std::optional<std::string_view> string_at(Json json, std::string_view key) noexcept;
// A whole number that is not negative; 28.0 is one too (Titan behind a guardrail).
std::optional<std::int64_t> count_of(Json json) noexcept;
std::optional<std::int64_t> count_at(Json json, std::string_view key) noexcept;
// A whole number that fits 64 bits, as written: times in milliseconds are larger than any count.
std::optional<std::int64_t> integer_at(Json json, std::string_view key) noexcept;
bool is_object(Json json) noexcept;
// The tree as JSON text without white space.
std::string text_of(Json json);

// Calls `each(std::string_view key, Json)` for every member, if it is an object. To look for many
// keys in a small object, one walk is cheaper than many searches.
template <typename Each>
void for_each_member(Json json, const Each& each) {
  simdjson::dom::object object;  // a local: iterating a temporary dangles in C++20
  if (json.get(object) != simdjson::SUCCESS) return;
  for (const auto [key, value] : object) each(key, value);
}

// Calls `each(Json)` for every element, if the member is an array.
template <typename Each>
void for_each_at(Json json, std::string_view key, const Each& each) {
  simdjson::dom::array array;  // a local: iterating a temporary dangles in C++20
  if (json[key].get(array) != simdjson::SUCCESS) return;
  for (const Json item : array) each(item);
}

}  // namespace understudy::metrics
