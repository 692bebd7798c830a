#include "metrics/json_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace understudy::metrics {

namespace {

// Far above any model's context and far below where doubles lose whole numbers.
constexpr std::int64_t kLargestCount = 1'000'000'000'000;

template <typename T>
std::optional<T> as(simdjson::simdjson_result<Json> json) noexcept {
  T value;
  if (std::move(json).get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

}  // namespace

struct JsonParser::Buffers {
  simdjson::dom::parser parser{kMaxBytes};
  std::size_t room = 0;  // what it can parse without allocating

  static std::vector<std::unique_ptr<Buffers>>& unused() {
    thread_local std::vector<std::unique_ptr<Buffers>> buffers;
    return buffers;
  }
};

JsonParser::JsonParser() {
  auto& unused = Buffers::unused();
  if (unused.empty()) {
    buffers_ = std::make_unique<Buffers>();
  } else {
    buffers_ = std::move(unused.back());
    unused.pop_back();
  }
}

JsonParser::~JsonParser() {
  constexpr std::size_t kOrdinaryRoom = 256u << 10;
  constexpr std::size_t kMaxKept = 8;
  auto& unused = Buffers::unused();
  if (buffers_->room <= kOrdinaryRoom && unused.size() < kMaxKept)
    unused.push_back(std::move(buffers_));
}

std::optional<Json> JsonParser::parse(std::string_view text) {
  // An empty text may lie nowhere, which the parser's copy of it must not be told.
  if (text.empty() || text.size() > kMaxBytes) return std::nullopt;
  if (buffers_->room < text.size() || buffers_->room == 0) {
    const std::size_t wanted = std::max<std::size_t>(text.size(), 4u << 10);
    if (buffers_->parser.allocate(wanted, kMaxDepth) != simdjson::SUCCESS) return std::nullopt;
    buffers_->room = wanted;
  }
  // The parser copies the text behind its own padding.
  Json root;
  if (buffers_->parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS)
    return std::nullopt;
  return root;
}

std::optional<Json> member(Json json, std::string_view key) noexcept {
  return as<Json>(json[key]);
}

std::optional<Json> element(Json json, std::size_t n) noexcept {
  return as<Json>(json.at(n));
}

std::optional<std::string_view> string_at(Json json, std::string_view key) noexcept {
  return as<std::string_view>(json[key]);
}

std::optional<std::int64_t> count_of(Json json) noexcept {
  std::int64_t whole = 0;
  if (json.get(whole) == simdjson::SUCCESS)
    return whole >= 0 && whole <= kLargestCount ? std::optional{whole} : std::nullopt;
  double number = 0.0;
  if (json.get(number) != simdjson::SUCCESS || number < 0.0 ||
      number > static_cast<double>(kLargestCount) || std::trunc(number) < number) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(number);
}

std::optional<std::int64_t> count_at(Json json, std::string_view key) noexcept {
  const auto found = member(json, key);
  return found ? count_of(*found) : std::nullopt;
}

std::optional<std::int64_t> integer_at(Json json, std::string_view key) noexcept {
  return as<std::int64_t>(json[key]);
}

bool is_object(Json json) noexcept {
  return json.is_object();
}

std::string text_of(Json json) {
  return simdjson::to_string(json);
}

}  // namespace understudy::metrics
