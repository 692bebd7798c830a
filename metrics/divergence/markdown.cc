#include "metrics/divergence/markdown.h"

#include <algorithm>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

constexpr std::size_t kMaxBytes = 64u << 10;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_heading(std::string_view line) noexcept {
  const std::size_t marks = std::min(line.find_first_not_of('#'), line.size());
  return marks >= 1 && marks <= 6 && marks < line.size() && line[marks] == ' ';
}

bool is_list_item(std::string_view line) noexcept {
  if (line.size() < 2) return false;
  if (line[0] == '-' || line[0] == '*' || line[0] == '+') return line[1] == ' ';
  std::size_t at = 0;
  while (at < line.size() && at < 3 && is_digit(line[at])) ++at;
  return at > 0 && at + 1 < line.size() && (line[at] == '.' || line[at] == ')') &&
         line[at + 1] == ' ';
}

bool has_bold(std::string_view line) noexcept {
  const std::size_t open = line.find("**");
  if (open == std::string_view::npos || open + 2 >= line.size() || line[open + 2] == ' ') {
    return false;
  }
  return line.find("**", open + 3) != std::string_view::npos;
}

}  // namespace

std::uint8_t markdown_of(std::string_view text) noexcept {
  text = text.substr(0, kMaxBytes);
  unsigned marks = 0;
  bool in_fence = false;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.starts_with("```")) {
      in_fence = !in_fence;
      marks |= kFence;
    }
    if (in_fence || line.empty()) continue;  // code has marks of its own
    if (is_heading(line)) marks |= kHeading;
    if (is_list_item(line)) marks |= kList;
    if (line[0] == '|' && line.find('|', 1) != std::string_view::npos) marks |= kTable;
    if ((marks & kBold) == 0 && has_bold(line)) marks |= kBold;
  }
  return static_cast<std::uint8_t>(marks);
}

}  // namespace understudy::metrics::divergence
