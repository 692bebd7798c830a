#include "metrics/divergence/error_headline.h"

#include <algorithm>
#include <array>
#include <set>

#include "metrics/divergence/masked_message.h"
#include "metrics/json_reader.h"

namespace understudy::metrics::divergence {
namespace {

constexpr std::size_t kMaxText = 256u << 10;
constexpr std::size_t kMaxHeadline = 300;
constexpr std::size_t kMaxField = 64;
constexpr std::size_t kMaxFields = 2'000;
constexpr std::size_t kMaxWord = 4u << 10;  // of a text
constexpr std::size_t kLongestShown = 32;   // letters of a word outside the vocabulary
constexpr std::string_view kHidden = "...";

// Sorted. The words of Bedrock's and the models' messages about requests: common as they are, they
// tell nothing of a request that holds them, too.
constexpr auto kVocabulary = std::to_array<std::string_view>({
    "a",           "access",     "account",
    "adaptive",    "additional", "ai",
    "all",         "allowed",    "already",
    "an",          "and",        "anthropic",
    "any",         "are",        "argument",
    "array",       "assistant",  "at",
    "available",   "be",         "beta",
    "between",     "blank",      "block",
    "blocks",      "body",       "boolean",
    "both",        "budget",     "but",
    "by",          "cache",      "call",
    "can",         "cannot",     "character",
    "characters",  "claude",     "configuration",
    "constraint",  "contain",    "contains",
    "content",     "context",    "conversation",
    "converse",    "count",      "default",
    "deprecated",  "did",        "disabled",
    "do",          "document",   "does",
    "doesn",       "duplicate",  "each",
    "either",      "empty",      "enabled",
    "end",         "enum",       "error",
    "errors",      "exceed",     "exceeded",
    "exceeds",     "expected",   "extended",
    "extra",       "extraneous", "failed",
    "false",       "field",      "fields",
    "final",       "first",      "following",
    "for",         "format",     "found",
    "from",        "function",   "given",
    "greater",     "has",        "have",
    "id",          "identifier", "if",
    "image",       "in",         "include",
    "input",       "inputs",     "integer",
    "invalid",     "is",         "it",
    "its",         "json",       "key",
    "keys",        "larger",     "last",
    "least",       "length",     "less",
    "limit",       "list",       "long",
    "longer",      "malformed",  "match",
    "maximum",     "media",      "member",
    "message",     "messages",   "minimum",
    "missing",     "model",      "models",
    "more",        "most",       "must",
    "name",        "negative",   "no",
    "non",         "not",        "null",
    "number",      "object",     "of",
    "on",          "one",        "only",
    "operation",   "or",         "other",
    "output",      "parameter",  "parameters",
    "parse",       "pattern",    "penalty",
    "permitted",   "please",     "position",
    "positive",    "prefill",    "present",
    "profile",     "prompt",     "property",
    "provide",     "provided",   "range",
    "read",        "reason",     "reasoning",
    "reformat",    "regex",      "remove",
    "request",     "requested",  "requests",
    "require",     "required",   "requires",
    "response",    "result",     "returned",
    "role",        "roles",      "sampling",
    "satisfy",     "schema",     "see",
    "sequence",    "sequences",  "service",
    "set",         "should",     "size",
    "specified",   "specify",    "start",
    "stop",        "stream",     "streaming",
    "string",      "support",    "supported",
    "supports",    "system",     "t",
    "temperature", "text",       "than",
    "that",        "the",        "there",
    "thinking",    "this",       "to",
    "token",       "tokens",     "too",
    "tool",        "tools",      "top",
    "true",        "try",        "type",
    "unexpected",  "unknown",    "unrecognized",
    "unsupported", "use",        "used",
    "user",        "using",      "valid",
    "validation",  "value",      "values",
    "version",     "was",        "were",
    "when",        "which",      "while",
    "with",        "within",     "without",
    "would",       "you",        "your",
});
static_assert(std::ranges::is_sorted(kVocabulary));

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

bool is_ascii(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_name(std::string_view text) noexcept {
  return text.size() <= kMaxField && std::ranges::all_of(text, [](char c) {
           return (is_letter(c) && static_cast<unsigned char>(c) < 0x80) ||
                  (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '$';
         });
}

// A picture or a document: no message repeats it.
bool is_encoded(std::string_view text) noexcept {
  return text.size() > kMaxWord && text.substr(0, kMaxWord).find(' ') == std::string_view::npos;
}

// What fields hold the caller's own fields: those are content.
bool holds_content(std::string_view field) noexcept {
  return field == "input" || field == "arguments" || field == "requestMetadata" ||
         field == "metadata";
}

// The texts of a request in lower case, one behind the other, and the names of its fields.
struct RequestWords {
  std::string texts;
  std::set<std::string, std::less<>> fields;
  bool whole = false;  // all of it is here

  explicit RequestWords(std::string_view body) {
    JsonParser parser;
    const auto root = parser.parse(body);
    if (!root) return;
    whole = true;
    read(*root, false);
  }

 private:
  // Ends at the parser's depth.
  void read(Json json, bool content) {
    std::string_view text;
    simdjson::dom::object object;
    simdjson::dom::array array;
    if (json.get(text) == simdjson::SUCCESS) {
      add_text(text);
    } else if (json.get(object) == simdjson::SUCCESS) {
      for (const auto member : object) {
        if (content || !is_name(member.key)) {
          add_text(member.key);
        } else {
          add_field(member.key);
        }
        read(member.value, content || holds_content(member.key));
      }
    } else if (json.get(array) == simdjson::SUCCESS) {
      for (const Json item : array) read(item, content);
    }
  }

  void add_text(std::string_view text) {
    if (is_encoded(text)) return;
    whole = whole && texts.size() + text.size() <= kMaxText;
    if (whole) texts.append(lower(text)).push_back('\n');
  }

  // Each of its words: those of "max_tokens" are "max" and "tokens".
  void add_field(std::string_view name) {
    if (fields.size() >= kMaxFields) return;
    const std::string low = lower(name);
    for (auto at = low.begin(); at != low.end();) {
      const auto begin = std::find_if(at, low.end(), is_letter);
      at = std::find_if_not(begin, low.end(), is_letter);
      if (begin != at) fields.emplace(begin, at);
    }
  }
};

bool may_be_shown(std::string_view word, const RequestWords& request) {
  if (!is_ascii(word)) return false;
  const std::string low = lower(word);
  if (std::ranges::binary_search(kVocabulary, low)) return true;
  if (!request.whole || low.size() > kLongestShown) return false;
  return request.texts.find(low) == std::string::npos || request.fields.contains(low);
}

// Words hidden one after the other leave one mark.
void hide(std::string& headline) {
  const std::size_t end = headline.find_last_not_of(' ') + 1;  // npos + 1 is 0
  if (std::string_view(headline).substr(0, end).ends_with(kHidden)) {
    headline.resize(end);
    return;
  }
  if (!headline.empty() && is_letter(headline.back())) headline.push_back(' ');
  headline.append(kHidden);
}

}  // namespace

std::string error_headline(std::string_view message, std::string_view request_body) {
  const std::string masked = masked_message(message);
  const RequestWords request(request_body);
  std::string headline;
  std::string_view rest = masked;
  while (!rest.empty() && headline.size() < kMaxHeadline) {
    const auto end = std::ranges::find_if_not(rest, is_letter);
    const auto size = static_cast<std::size_t>(end - rest.begin());
    if (size == 0) {
      headline.push_back(rest[0]);
      rest.remove_prefix(1);
      continue;
    }
    const std::string_view word = rest.substr(0, size);
    if (may_be_shown(word, request)) {
      if (headline.ends_with(kHidden)) headline.push_back(' ');
      headline.append(word);
    } else {
      hide(headline);
    }
    rest.remove_prefix(size);
  }
  if (headline.size() > kMaxHeadline) headline.resize(kMaxHeadline);
  return headline;
}

}  // namespace understudy::metrics::divergence
