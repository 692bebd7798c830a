// How an answer is set: Markdown, and thinking before the text.

#include <array>
#include <string_view>

#include "metrics/divergence/answer_profile.h"
#include "metrics/divergence/markdown.h"
#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

std::string_view name_of(unsigned marks) noexcept {
  if ((marks & kHeading) != 0) return "heading";
  if ((marks & kBold) != 0) return "bold";
  if ((marks & kTable) != 0) return "table";
  if ((marks & kList) != 0) return "list";
  return (marks & kFence) != 0 ? "fence" : "";
}

bool thinks_first(const Observation& seen) noexcept {
  return seen.answer.first_block == BlockKind::thinking;
}

bool thinks(const Observation& seen) noexcept {
  return seen.answer.thinking_bytes != 0 || thinks_first(seen);
}

}  // namespace

std::optional<Finding> markdown(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  if (served.answer.text.empty() || other.answer.text.empty()) return std::nullopt;
  const unsigned here = markdown_of(served.answer.text);
  const unsigned there = markdown_of(other.answer.text);
  const bool raw = expected.profile != nullptr && expected.profile->never_uses_markdown();
  return Finding{
      .signal = Signal::markdown,
      .diverges = here != there,
      .served_bad = raw && here != 0,
      .other_bad = raw && there != 0,
      .detail = here == there ? "" : name_of((there & ~here) != 0 ? there & ~here : here)};
}

std::optional<Finding> thinking(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair) || (!thinks(served) && !thinks(other))) return std::nullopt;
  Finding finding{
      .signal = Signal::thinking,
      .diverges = thinks(served) != thinks(other) || thinks_first(served) != thinks_first(other),
      .served_bad = thinks_first(served),
      .other_bad = thinks_first(other)};
  if (!finding.diverges) return finding;
  if (finding.served_bad != finding.other_bad) {
    finding.detail = finding.other_bad ? "thinking_first" : "thinking_not_first";
  } else {
    finding.detail = thinks(other) ? "thinking_new" : "thinking_gone";
  }
  return finding;
}

}  // namespace understudy::metrics::divergence
