#include "routing/body_model.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "routing/json_scan.h"

namespace understudy::routing {
namespace {

using Kind = JsonScan::Kind;

constexpr std::size_t kMaxModelBytes = 2048;
// What a look may cost grows with what it may read: 32 MiB of brackets would take an io thread
// longer than their signature does. Conversations have a bracket or quotation mark in some hundred
// bytes.
constexpr std::size_t kFewSteps = 4096;
constexpr std::size_t kBytesPerStep = 32;

// The character that the escape at `at` stands for, where it is ASCII; moves `at` behind it.
std::optional<char> unescaped(std::string_view text, std::size_t& at) noexcept {
  if (at + 1 >= text.size()) return std::nullopt;
  const char kind = text[at + 1];
  at += 2;
  if (kind == '/' || kind == '\\' || kind == '"') return kind;
  if (kind != 'u' || text.size() - at < 4) return std::nullopt;
  unsigned value = 0;
  for (const char c : text.substr(at, 4)) {
    const bool digit = c >= '0' && c <= '9';
    const char lower = static_cast<char>(c | 0x20);
    if (!digit && (lower < 'a' || lower > 'f')) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(digit ? c - '0' : lower - 'a' + 10);
  }
  at += 4;
  if (value >= 0x80) return std::nullopt;
  return static_cast<char>(value);
}

// A JSON string's text where it is ASCII and no longer than `most`; else none.
std::optional<std::string> decoded(std::string_view raw, std::size_t most) {
  constexpr std::size_t kLongestEscape = 6;
  if (raw.size() > most * kLongestEscape) return std::nullopt;
  std::string text;
  text.reserve(std::min(raw.size(), most));
  for (std::size_t at = 0; at < raw.size();) {
    if (raw[at] != '\\') {
      text.push_back(raw[at++]);
      continue;
    }
    const auto c = unescaped(raw, at);
    if (!c) return std::nullopt;
    text.push_back(*c);
  }
  if (text.size() > most) return std::nullopt;
  return text;
}

bool is_model_id(std::string_view id) noexcept {
  return !id.empty() && std::ranges::all_of(id, [](char c) { return c > 0x20 && c < 0x7f; });
}

// The members that matter, whichever way they are spelt. Keys hardly ever have an escape.
std::string_view key_name(std::string_view raw, std::string& storage) {
  constexpr std::size_t kLongestKey = 32;
  if (raw.find('\\') == raw.npos) return raw;
  auto text = decoded(raw, kLongestKey);
  if (!text) return {};
  storage = *std::move(text);
  return storage;
}

struct Found {
  std::optional<std::string_view> model;  // raw
  bool duplicate = false;
  bool no_text = false;
  bool stateful = false;
};

void read_member(JsonScan& scan, std::string_view key, Found& found) noexcept {
  const Kind kind = scan.next_kind();
  if (key == "model") {
    found.duplicate = found.duplicate || found.model || found.no_text;
    if (kind == Kind::string) {
      found.model = scan.take_scalar();
      return;
    }
    found.no_text = true;
  } else if (key == "background" && kind == Kind::literal) {
    found.stateful = scan.take_scalar() == "true" || found.stateful;
    return;
  } else if (key == "previous_response_id" || key == "conversation") {
    found.stateful = kind != Kind::literal || found.stateful;  // the literal is null
  }
  scan.skip();
}

}  // namespace

std::string_view label(BodyModelProblem problem) noexcept {
  switch (problem) {
    case BodyModelProblem::absent:
      return "absent";
    case BodyModelProblem::duplicate:
      return "duplicate";
    case BodyModelProblem::not_a_model:
      return "not_a_model";
    case BodyModelProblem::malformed:
      return "malformed";
    case BodyModelProblem::too_large:
      return "too_large";
  }
  return "malformed";
}

std::variant<BodyModel, BodyModelProblem> find_body_model(std::string_view body,
                                                          std::size_t max_bytes) {
  if (body.size() > max_bytes) return BodyModelProblem::too_large;
  JsonScan scan(body, std::max(kFewSteps, max_bytes / kBytesPerStep));
  if (!scan.enter_object()) return BodyModelProblem::malformed;
  Found found;
  std::string_view raw_key;
  std::string storage;
  while (scan.next_member(raw_key)) read_member(scan, key_name(raw_key, storage), found);
  if (scan.out_of_steps()) return BodyModelProblem::too_large;
  if (!scan.at_end()) return BodyModelProblem::malformed;
  if (found.duplicate) return BodyModelProblem::duplicate;
  if (found.no_text) return BodyModelProblem::not_a_model;
  if (!found.model) return BodyModelProblem::absent;
  auto id = decoded(*found.model, kMaxModelBytes);
  if (!id || !is_model_id(*id)) return BodyModelProblem::not_a_model;
  return BodyModel{.id = *std::move(id),
                   .offset = static_cast<std::size_t>(found.model->data() - body.data()),
                   .size = found.model->size(),
                   .stateful = found.stateful};
}

}  // namespace understudy::routing
