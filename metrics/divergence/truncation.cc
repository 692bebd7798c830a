#include <algorithm>
#include <array>
#include <string_view>

#include "metrics/divergence/json_form.h"
#include "metrics/divergence/markdown.h"
#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

constexpr std::size_t kShortest = 60;  // what is shorter may be a label or a title

bool ran_out(const Observation& seen) noexcept {
  return seen.answer.stop_reason == "max_tokens" ||
         seen.answer.stop_reason == "model_context_window_exceeded";
}

std::string_view last_line(std::string_view text) noexcept {
  return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
}

bool ends_like_a_sentence(std::string_view text) noexcept {
  constexpr std::string_view kEnds = ".!?:;)\"'*]}>|`_~%$/";
  if (kEnds.find(text.back()) != std::string_view::npos) return true;
  // Typographic quotes and marks, full stops of other scripts, arrows, pictures: U+2000 to U+303F,
  // full-width forms, and everything beyond the basic plane.
  const auto at = [text](std::size_t back) {
    return text.size() >= back ? static_cast<unsigned char>(text[text.size() - back])
                               : static_cast<unsigned char>(0);
  };
  if (at(3) == 0xE2 || (at(3) == 0xE3 && at(2) == 0x80) || at(4) >= 0xF0) return true;
  if (at(2) == 0xC2) return true;                   // U+00A0 to U+00BF: signs, no letters
  if (at(3) == 0xEF && at(2) >= 0xBC) return true;  // full-width punctuation
  return at(3) == 0xE0 && at(2) == 0xA5 && at(1) >= 0xA4 && at(1) <= 0xA5;  // danda
}

// Items, rows and headings often end without a full stop: then the lines before it do so too.
bool ends_like_its_list(std::string_view text) noexcept {
  const std::string_view line = last_line(text);
  if ((markdown_of(line) & (kList | kTable | kHeading)) == 0) return false;
  std::string_view before = text.substr(0, text.size() - line.size());
  for (int looked = 0; looked < 3; ++looked) {
    while (!before.empty() && (before.back() == '\n' || before.back() == ' ')) {
      before.remove_suffix(1);
    }
    if (before.empty()) return false;
    const std::string_view item = last_line(before);
    if ((markdown_of(item) & (kList | kTable)) != 0) return !ends_like_a_sentence(before);
    before.remove_suffix(item.size());
  }
  return false;
}

bool fence_stays_open(std::string_view text) noexcept {
  bool open = false;
  for (std::size_t at = text.find("```"); at != std::string_view::npos; at = text.find("```", at)) {
    if (at == 0 || text[at - 1] == '\n' || text[at - 1] == ' ') open = !open;
    at = std::min(text.find_first_not_of('`', at), text.size());
  }
  return open;
}

// The model said that it was done and its text says that it was not.
bool breaks_off(const Observation& seen) {
  if (seen.answer.stop_reason != "end_turn" || !seen.answer.tool_calls.empty()) return false;
  std::string_view text = seen.answer.text;
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  if (text.empty()) return false;
  if (fence_stays_open(text) || json_breaks_off(text)) return true;
  if (text.size() <= kShortest) return false;
  return !ends_like_a_sentence(text) && !ends_like_its_list(text);
}

std::string_view what_is_cut(const Observation& seen) {
  if (ran_out(seen)) return "max_tokens";
  return breaks_off(seen) ? "breaks_off" : "";
}

}  // namespace

std::optional<Finding> truncation(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  const std::string_view here = what_is_cut(served);
  const std::string_view there = what_is_cut(other);
  return Finding{.signal = Signal::truncation,
                 .diverges = here != there,
                 .served_bad = !here.empty(),
                 .other_bad = !there.empty(),
                 .detail = there.empty() ? here : there};
}

}  // namespace understudy::metrics::divergence
