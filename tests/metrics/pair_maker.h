#pragma once
// Answers and pairs for the tests of the signals.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/comparison.h"
#include "metrics/divergence/answer_profile.h"

namespace understudy::metrics {

inline Observation answer(std::string text, std::string stop_reason = "end_turn") {
  Observation seen;
  seen.status = 200;
  seen.answer.text = std::move(text);
  seen.answer.stop_reason = std::move(stop_reason);
  seen.answer.first_block = BlockKind::text;
  seen.answer.parsed = true;
  return seen;
}

inline Observation tool_turn(std::vector<ToolCall> calls) {
  Observation seen = answer("", "tool_use");
  seen.answer.tool_calls = std::move(calls);
  return seen;
}

inline std::optional<Finding> find(const Comparison& comparison, Signal signal) {
  for (const Finding& each : comparison.findings) {
    if (each.signal == signal) return each;
  }
  return std::nullopt;
}

inline std::optional<Finding> found(Signal signal, const Observation& served,
                                    const Observation& other,
                                    const Expectations& expectations = {}) {
  return find(compare(served, other, expectations), signal);
}

// What a signal says of `other` beside a good answer: its word if it is bad, "fine" if not, "none"
// where the signal does not apply.
inline std::string_view verdict_on(Signal signal, const Observation& served,
                                   const Observation& other,
                                   const Expectations& expectations = {}) {
  const auto finding = found(signal, served, other, expectations);
  if (!finding) return "none";
  return finding->other_bad ? finding->detail : "fine";
}

// A profile taught by that many copies of an answer.
inline AnswerProfile taught_by(const Observation& answer, int times = 30) {
  AnswerProfile profile;
  for (int i = 0; i < times; ++i) profile.learn(answer);
  return profile;
}

}  // namespace understudy::metrics
