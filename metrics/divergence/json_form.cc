#include "metrics/divergence/json_form.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace understudy::metrics::divergence {

namespace {

constexpr std::string_view kFence = "```";
// What is shorter is as likely a set or an index in prose as it is JSON.
constexpr std::size_t kSmallestWrapped = 20;
// Bounds for prose full of brackets.
constexpr int kMaxCandidates = 32;
constexpr std::size_t kMaxWrapped = 256u << 10;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// nlohmann's acceptor builds nothing and does not recurse; numbers of any size pass.
bool is_json(std::string_view text) {
  return nlohmann::json::accept(text.begin(), text.end());
}

// Whether a text sets out to be JSON, however it ends. "[Link](...)" and "[1] source" are prose.
bool begins_like_json(std::string_view text) {
  if (text.size() < 2) return false;
  const std::size_t next = text.find_first_not_of(" \t\r\n", 1);
  if (next == std::string_view::npos) return false;
  if (text[0] == '{') return text[next] == '"' || text[next] == '}';
  return text[0] == '[' && (text[next] == '{' || text[next] == '"' || text[next] == '[');
}

// "```json\n...\n```": what is between, where the text is one fence and nothing else.
std::optional<std::string_view> inside_fence(std::string_view text) {
  if (!text.starts_with(kFence) || !text.ends_with(kFence)) return std::nullopt;
  const std::size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos || line_end + kFence.size() >= text.size()) {
    return std::nullopt;
  }
  text.remove_suffix(kFence.size());
  const std::string_view inner = trim(text.substr(line_end));
  if (inner.find(kFence) != std::string_view::npos) return std::nullopt;
  return inner;
}

// The bracketed piece that `text` begins with; brackets in strings do not count.
std::optional<std::string_view> balanced(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  text = text.substr(0, kMaxWrapped);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (--depth == 0) return text.substr(0, i + 1);
    }
  }
  return std::nullopt;
}

JsonForm formed(Container container, std::string_view json) {
  if (!is_json(json)) return {container, false, {}};
  return {container, true, json};
}

// JSON in the first fence that holds some: valid or not, a fence says what it means to be.
std::optional<JsonForm> fence_in_prose(std::string_view text) {
  std::size_t at = text.find(kFence);
  for (int tries = 0; at != std::string_view::npos && tries < kMaxCandidates; ++tries) {
    const std::size_t line_end = text.find('\n', at);
    if (line_end == std::string_view::npos) return std::nullopt;
    const std::size_t close = text.find(kFence, line_end);
    const std::string_view inner =
        trim(text.substr(line_end, close == std::string_view::npos ? close : close - line_end));
    if (begins_like_json(inner)) return formed(Container::wrapped, inner);
    if (close == std::string_view::npos) return std::nullopt;
    at = text.find(kFence, close + kFence.size());
  }
  return std::nullopt;
}

// Brackets in prose are JSON only if they parse: code and formulas have them too.
std::optional<JsonForm> brackets_in_prose(std::string_view text) {
  // Two searches, since find_first_of() is a call for every byte.
  const auto next_bracket = [text](std::size_t from) {
    return std::min(text.find('{', from), text.find('[', from));
  };
  std::size_t at = next_bracket(0);
  for (int tries = 0; at != std::string_view::npos && tries < kMaxCandidates; ++tries) {
    const auto piece = balanced(text.substr(at));
    if (piece && piece->size() > kSmallestWrapped && is_json(*piece)) {
      return JsonForm{Container::wrapped, true, *piece};
    }
    at = next_bracket(at + 1);
  }
  return std::nullopt;
}

}  // namespace

bool json_breaks_off(std::string_view text) {
  text = trim(text);
  return text.size() <= kMaxWrapped && begins_like_json(text) && !balanced(text);
}

JsonForm json_form(std::string_view text) {
  text = trim(text);
  if (text.empty() || text.size() > kMaxJson) return {};
  if (const auto inner = inside_fence(text); inner && begins_like_json(*inner)) {
    return formed(Container::fenced, *inner);
  }
  if ((text[0] == '{' || text[0] == '[') && is_json(text)) {
    return {Container::bare, true, text};
  }
  if (begins_like_json(text)) {
    // A whole object with words behind it is wrapped; anything else is JSON that went wrong.
    if (const auto piece = balanced(text);
        piece && piece->size() < text.size() && is_json(*piece)) {
      return {Container::wrapped, true, *piece};
    }
    return {Container::bare, false, {}};
  }
  if (const auto form = fence_in_prose(text)) return *form;
  return brackets_in_prose(text).value_or(JsonForm{});
}

}  // namespace understudy::metrics::divergence
