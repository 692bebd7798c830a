#pragma once
// The score behind the refusal signal, for tests and tuning.

#include <optional>
#include <string_view>

#include "metrics/divergence/final_answer.h"

namespace understudy::metrics::divergence {

// In tenths; 12 and more is a refusal or another non-answer. Looks at the first 700 characters and
// the form of the whole. Any thread. `label` is the text's final_answer().
int refusal_score(std::string_view text, const std::optional<FinalAnswer>& label);
inline int refusal_score(std::string_view text) {
  return refusal_score(text, final_answer(text));
}

}  // namespace understudy::metrics::divergence
