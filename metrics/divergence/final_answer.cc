#include "metrics/divergence/final_answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace understudy::metrics::divergence {

namespace {

constexpr std::size_t kMaxWords = 5;
constexpr std::size_t kMaxLabel = 60;           // five words are never longer, or are none
constexpr std::size_t kMaxSearched = 4u << 10;  // an answer stands at the end

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Scripts without spaces: three bytes a character, and what counts as a word has about two.
bool is_short(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMaxLabel) return false;
  std::size_t words = 0;
  bool in_word = false;
  std::size_t wide = 0;
  for (const char c : text) {
    if (is_space(c)) {
      in_word = false;
      continue;
    }
    if (!in_word) ++words;
    in_word = true;
    if (static_cast<unsigned char>(c) >= 0xE3) ++wide;
  }
  return words + wide / 2 <= kMaxWords;
}

std::string normalized(std::string_view text) {
  std::string label;
  for (const char c : text) {
    if (c == '*' || c == '_' || c == '`' || c == '#') continue;
    if (is_space(c)) {
      if (!label.empty() && label.back() != ' ') label.push_back(' ');
    } else {
      label.push_back(lower(c));
    }
  }
  constexpr std::string_view kOuter = " .,;:!?\"'()[]{}<>";
  const std::size_t begin = label.find_first_not_of(kOuter);
  if (begin == std::string::npos) return {};
  return label.substr(begin, label.find_last_not_of(kOuter) - begin + 1);
}

std::optional<FinalAnswer> made(AnswerForm form, std::string_view text) {
  text = trimmed(text);
  if (!is_short(text)) return std::nullopt;
  std::string label = normalized(text);
  if (label.empty()) return std::nullopt;
  return FinalAnswer{.form = form, .label = std::move(label)};
}

std::optional<FinalAnswer> boxed(std::string_view text) {
  constexpr std::string_view kMark = "\\boxed{";
  const std::size_t at = text.rfind(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + kMark.size());
  return made(AnswerForm::marked, text.substr(0, text.find('}')));
}

constexpr std::string_view kAnswer = "answer";
// What may follow it, the surest first.
constexpr std::array<std::string_view, 3> kMarks{":", "**:", " is"};

// Behind the last "answer" that each of the marks follows; 0 where none does.
std::array<std::size_t, kMarks.size()> ends_of_marks(std::string_view text) {
  std::string lower_case(text.size(), ' ');
  std::transform(text.begin(), text.end(), lower_case.begin(), lower);
  std::array<std::size_t, kMarks.size()> ends{};
  const char* at = lower_case.data();
  const char* const end = at + lower_case.size();
  const auto next = [&] {  // std::string's own search stops at every 'a'
    at = static_cast<const char*>(
        ::memmem(at, static_cast<std::size_t>(end - at), kAnswer.data(), kAnswer.size()));
    return at != nullptr;
  };
  for (; next(); at += kAnswer.size()) {
    const std::string_view rest(at + kAnswer.size(), end);
    for (std::size_t mark = 0; mark < kMarks.size(); ++mark) {
      if (!rest.starts_with(kMarks[mark])) continue;
      ends[mark] = static_cast<std::size_t>(rest.data() - lower_case.data()) + kMarks[mark].size();
    }
  }
  return ends;
}

std::optional<FinalAnswer> behind_mark(std::string_view text) {
  for (const std::size_t end : ends_of_marks(text)) {
    if (end == 0) continue;
    std::string_view rest = text.substr(end);
    rest.remove_prefix(std::min(rest.find_first_not_of(" *:"), rest.size()));
    if (const auto found = made(AnswerForm::marked, rest.substr(0, rest.find('\n')))) return found;
  }
  return std::nullopt;
}

bool is_number_byte(char c) noexcept {
  return is_digit(c) || c == '.' || c == ',';
}

// The number that ends before `end`, and where it begins.
std::optional<double> number_before(std::string_view text, std::size_t end, std::size_t& begin) {
  begin = end;
  while (begin > 0 && is_number_byte(text[begin - 1])) --begin;
  while (begin < end && !is_digit(text[begin])) ++begin;
  std::string digits;
  for (std::size_t at = begin; at < end; ++at) {
    if (text[at] != ',') digits.push_back(text[at]);
  }
  while (!digits.empty() && digits.back() == '.') digits.pop_back();
  double value = 0.0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
  const bool negative = begin > 0 && text[begin - 1] == '-' &&
                        (begin == 1 || is_space(text[begin - 2]) || text[begin - 2] == '$');
  return negative ? -value : value;
}

}  // namespace

std::optional<FinalAnswer> final_answer(std::string_view text) {
  text = trimmed(text);
  // JSON and code are no labels.
  if (text.starts_with('{') || text.starts_with('[') || text.starts_with("```")) {
    return std::nullopt;
  }
  if (text.size() > kMaxSearched) text.remove_prefix(text.size() - kMaxSearched);
  if (const auto whole = made(AnswerForm::whole, text)) return whole;
  if (const auto found = boxed(text)) return found;
  if (const auto found = behind_mark(text)) return found;
  const std::size_t line = text.rfind('\n');
  if (line == std::string_view::npos) return std::nullopt;
  return made(AnswerForm::last_line, text.substr(line));
}

std::optional<double> last_number(std::string_view text) {
  if (text.size() > kMaxSearched) text.remove_prefix(text.size() - kMaxSearched);
  std::size_t end = text.size();
  while (end > 0) {
    while (end > 0 && !is_digit(text[end - 1])) --end;
    if (end == 0) return std::nullopt;
    std::size_t begin = 0;
    if (const auto number = number_before(text, end, begin)) return number;
    end = begin;  // "1.2.3" is no number
  }
  return std::nullopt;
}

// A label is a number where nothing but a unit or a currency stands beside it.
std::optional<double> number_of(std::string_view label) {
  constexpr std::size_t kMaxUnit = 12;
  const std::size_t first = label.find_first_of("0123456789");
  if (first == std::string_view::npos || first > 4) return std::nullopt;
  if (std::any_of(label.begin(), label.begin() + static_cast<std::ptrdiff_t>(first),
                  [](char c) { return lower(c) >= 'a' && lower(c) <= 'z'; })) {
    return std::nullopt;
  }
  const std::size_t last = label.find_last_of("0123456789");
  if (label.size() - last > kMaxUnit) return std::nullopt;
  if (!std::all_of(label.begin() + static_cast<std::ptrdiff_t>(first),
                   label.begin() + static_cast<std::ptrdiff_t>(last) + 1, is_number_byte)) {
    return std::nullopt;
  }
  return last_number(label);
}

}  // namespace understudy::metrics::divergence
