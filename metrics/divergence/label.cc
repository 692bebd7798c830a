// Short answers: labels, choices and numbers. What similarity of texts cannot see, a flipped
// answer, stands here; two answers of one model flip too, so differences mean something only above
// the noise of the control legs.

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "metrics/divergence/answer_profile.h"
#include "metrics/divergence/final_answer.h"
#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

bool is_word_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

// Whether the words of `label` stand in the text, in whatever case.
bool says(std::string_view text, std::string_view label) {
  constexpr std::size_t kMaxSearched = 4u << 10;
  std::string lower{text.substr(0, kMaxSearched)};
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  for (std::size_t at = lower.find(label); at != std::string::npos;
       at = lower.find(label, at + 1)) {
    const std::size_t end = at + label.size();
    const bool begins = at == 0 || !is_word_byte(lower[at - 1]);
    const bool ends = end == lower.size() || !is_word_byte(lower[end]);
    if (begins && ends) return true;
  }
  return false;
}

// What a family is known for, or else what the served answer looks like. A last line alone is no
// sign: prose has one too.
bool wants_short_answers(const Expectations& expected, const std::optional<FinalAnswer>& served) {
  if (expected.profile != nullptr && expected.profile->is_settled()) {
    return expected.profile->answers_in_labels();
  }
  return served && served->form != AnswerForm::last_line;
}

// Where the primary's is zero, as good as zero.
bool equal_numbers(double primary, double other, double tolerance) noexcept {
  return std::abs(primary - other) <= std::max(1e-9, tolerance * std::abs(primary));
}

bool calls_tools(const Pair& pair) noexcept {
  return !pair.served.answer.tool_calls.empty() || !pair.other.answer.tool_calls.empty();
}

}  // namespace

std::optional<Finding> label_agreement(const Pair& pair) {
  const auto& expected = pair.expected;
  if (!both_answered(pair) || calls_tools(pair)) return std::nullopt;
  const auto& here = pair.served_text.final_answer();
  if (!wants_short_answers(expected, here)) return std::nullopt;
  const auto& there = pair.other_text.final_answer();
  Finding finding{.signal = Signal::label};
  // A caller that compares with == reads nothing but the label. Judged where the family is known to
  // answer so: judging by the served answer would hold chance against the other one.
  if (expected.profile != nullptr && expected.profile->answers_in_bare_labels()) {
    finding.served_bad = !here || here->form != AnswerForm::whole;
    finding.other_bad = !there || there->form != AnswerForm::whole;
    // Its gate weighs differences against the primary's own: a family that is chatty now and then
    // is so twice, too.
    finding.diverges = finding.served_bad != finding.other_bad;
    if (finding.served_bad || finding.other_bad) finding.detail = "verbose_label";
  }
  if (!here || number_of(here->label)) return finding;
  if (there && there->label == here->label) return finding;
  const bool longer = !there || there->form != AnswerForm::whole;
  if (longer && says(pair.other_text.text(), here->label)) {
    finding.detail = "verbose_label";
    return finding;
  }
  finding.diverges = true;
  finding.detail =
      there && there->form != AnswerForm::last_line ? "label_differs" : "label_missing";
  return finding;
}

std::optional<Finding> number_agreement(const Pair& pair) {
  if (!both_answered(pair) || calls_tools(pair)) return std::nullopt;
  const auto& here = pair.served_text.final_answer();
  if (!here || !wants_short_answers(pair.expected, here)) return std::nullopt;
  const auto number = number_of(here->label);
  if (!number) return std::nullopt;
  const auto& there = pair.other_text.final_answer();
  auto found = there ? number_of(there->label) : std::nullopt;
  if (!found) found = last_number(pair.other_text.text());
  Finding finding{.signal = Signal::number};
  finding.diverges = !found || !equal_numbers(*number, *found, pair.expected.number_tolerance);
  if (finding.diverges) finding.detail = found ? "number_differs" : "number_missing";
  return finding;
}

}  // namespace understudy::metrics::divergence
