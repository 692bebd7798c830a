#include "metrics/divergence/text_traits.h"

#include "metrics/divergence/language.h"
#include "metrics/divergence/refusal.h"

namespace understudy::metrics {

std::string_view TextTraits::language() const {
  if (!language_) language_ = divergence::language_of(text_);
  return *language_;
}

const std::optional<divergence::FinalAnswer>& TextTraits::final_answer() const {
  if (!final_answer_) final_answer_.emplace(divergence::final_answer(text_));
  return *final_answer_;
}

int TextTraits::refusal_score() const {
  if (!refusal_score_) refusal_score_ = divergence::refusal_score(text_, final_answer());
  return *refusal_score_;
}

}  // namespace understudy::metrics
