#include "metrics/divergence/masked_message.h"

#include <algorithm>

namespace understudy::metrics::divergence {

namespace {

constexpr std::size_t kMaxMessage = 300;
constexpr std::size_t kMaxRead = 4u << 10;
constexpr std::size_t kShortestIdentifier = 12;
constexpr std::size_t kLongestQuoted = 60;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_word(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}
bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '-';
}

// A UUID, a digest, a request or account id; "claude-sonnet-4" and "us-east-1" are names.
bool is_identifier(std::string_view word) noexcept {
  if (word.size() < kShortestIdentifier) return false;
  const auto digits = std::count_if(word.begin(), word.end(), is_digit);
  return (digits > 0 && std::all_of(word.begin(), word.end(), is_hex)) ||
         static_cast<std::size_t>(digits) * 4 >= word.size();
}

void add_word(std::string_view word, std::string& into) {
  if (is_identifier(word)) {
    into.push_back('#');
    return;
  }
  for (std::size_t at = 0; at < word.size(); ++at) {
    if (!is_digit(word[at])) {
      into.push_back(word[at]);
    } else if (at == 0 || !is_digit(word[at - 1])) {
      into.push_back('#');
    }
  }
}

// The bytes from a quotation mark to the next one, if what is between is long.
std::size_t long_quote(std::string_view text) noexcept {
  const std::size_t close = text.find(text[0], 1);
  if (close == std::string_view::npos) return 0;
  return close > kLongestQuoted ? close + 1 : 0;
}

}  // namespace

std::string masked_message(std::string_view message) {
  message = message.substr(0, kMaxRead);
  std::string masked;
  while (!message.empty() && masked.size() <= kMaxMessage) {
    const char c = message[0];
    if (is_word(c)) {
      const auto end = std::find_if_not(message.begin(), message.end(), is_word);
      const auto size = static_cast<std::size_t>(end - message.begin());
      add_word(message.substr(0, size), masked);
      message.remove_prefix(size);
      continue;
    }
    const std::size_t quoted = c == '"' || c == '`' ? long_quote(message) : 0;
    if (quoted != 0) {
      masked += "\"...\"";
      message.remove_prefix(quoted);
      continue;
    }
    masked.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c);
    message.remove_prefix(1);
  }
  if (masked.size() <= kMaxMessage) return masked;
  std::size_t end = kMaxMessage;  // not in the middle of a character
  while (end > 0 && (static_cast<unsigned char>(masked[end]) & 0xC0) == 0x80) --end;
  masked.resize(end);
  return masked;
}

}  // namespace understudy::metrics::divergence
