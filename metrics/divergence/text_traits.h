#pragma once
// What several signals read out of one text, and the family's profile once more: each found when it
// is first asked for, since finding it is most of what a comparison costs.

#include <optional>
#include <string_view>

#include "metrics/divergence/final_answer.h"

namespace understudy::metrics {

// Does not own the text. One thread.
class TextTraits {
 public:
  explicit TextTraits(std::string_view text) noexcept : text_(text) {}

  std::string_view text() const noexcept { return text_; }
  std::string_view language() const;                                   // divergence::language_of()
  const std::optional<divergence::FinalAnswer>& final_answer() const;  // divergence::final_answer()
  int refusal_score() const;  // divergence::refusal_score()

 private:
  std::string_view text_;
  mutable std::optional<std::string_view> language_;
  mutable std::optional<std::optional<divergence::FinalAnswer>> final_answer_;
  mutable std::optional<int> refusal_score_;
};

}  // namespace understudy::metrics
