#pragma once
// What an answer comes down to where it is a label, a choice or a number: all of it, what stands
// behind "Answer:" or in \boxed{}, or its last line.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::metrics::divergence {

enum class AnswerForm : std::uint8_t {
  whole,      // at most five words, nothing else
  marked,     // "Answer: X", \boxed{X}
  last_line,  // at most five words in a line of their own; in prose often no answer at all
};

struct FinalAnswer {
  AnswerForm form = AnswerForm::whole;
  std::string label;  // without markdown, outer punctuation and case
};
// None where the text has no such thing.
std::optional<FinalAnswer> final_answer(std::string_view text);

// Of a text of its own, or the last one in a text: "1,234.50 EUR" is 1234.5.
std::optional<double> number_of(std::string_view label);
std::optional<double> last_number(std::string_view text);

}  // namespace understudy::metrics::divergence
