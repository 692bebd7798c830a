#pragma once
// What one signal group says of a pair. Pure functions; nothing is said (no Finding) where the
// signal does not apply. comparison.cc composes them; those of JSON are in json_pair.h.
//
// Whether a directional signal applies to a pair, and what it calls bad, never depends on one
// side's outcome: holding only pairs whose served answer is good against the other side would find
// a regression between two equal models.
//
// The words of Finding::detail:
//   error_class       throttled, client_error, server_error, timeout, transport, stream_broken
//   validation_error  refused_as_invalid
//   refusal           refusal, or the stop reason, one of those below
//   stop_reason       refusal, guardrail_intervened, content_filtered, malformed_model_output,
//                     malformed_tool_use
//   truncation        max_tokens, breaks_off
//   empty             empty, only_thinking
//   json_contract     not_json, invalid, bare, fenced, wrapped, key_missing, key_renamed,
//                     key_unexpected, type_changed, value_not_allowed; of pairs that differ and
//                     break nothing also enum_new, key_extra
//   json_agreement    leaf_differs
//   tool_contract     tool_unknown, argument_invalid, argument_missing, argument_type,
//                     argument_unexpected, argument_value
//   tool_agreement    tool_name, tool_missing, tool_extra, argument_type, argument_keys,
//                     argument_value; more_parallel_calls, a warning: `diverges` stays false
//   first_tool        first_tool_differs
//   label, number     label_differs, label_missing, verbose_label, number_differs, number_missing
//   language          language_switched
//   containment       off_topic
//   markdown          heading, bold, table, list, fence
//   thinking          thinking_first, thinking_not_first, thinking_new, thinking_gone
//   citations         citations_new, citations_gone
//   stream_shape      exception, broken, out_of_order, stalled

#include <cmath>
#include <optional>

#include "metrics/comparison.h"
#include "metrics/divergence/text_traits.h"

namespace understudy::metrics::divergence {

struct Pair {
  const Observation& served;
  const Observation& other;
  const Expectations& expected;
  const TextTraits& served_text;
  const TextTraits& other_text;
};

// How the attempts ended. Throttling of either side is missing data, not a difference; a time-out
// or any other failure is bad.
std::optional<Finding> error_class(const Pair& pair);
// Bad: the request was refused (ValidationException); the candidate does not take what the primary
// takes.
std::optional<Finding> validation_error(const Pair& pair);

// The signals below compare two answers: they apply only where both attempts succeeded and were
// read (stream_shape: where both came as a stream).
inline bool answered(const Observation& seen) noexcept {
  return seen.error_class == ErrorClass::ok && seen.answer.parsed;
}
inline bool both_answered(const Pair& pair) noexcept {
  return answered(pair.served) && answered(pair.other);
}

// The stop reason of an answer that is none, whatever text came before it: a refusal, a filter's or
// a guardrail's intervention, malformed output. Empty where it ended in another way.
std::string_view bad_stop(const Answer& answer) noexcept;

// Bad: the answer was stopped as bad_stop() says, or its first two sentences refuse. Those of a
// tool call never do.
std::optional<Finding> refusal(const Pair& pair);
// Bad: what bad_stop() names.
std::optional<Finding> stop_reason(const Pair& pair);
// Bad: the tokens ran out, or a text that claims to be done stops in mid-sentence, in an open fence
// or in open brackets.
std::optional<Finding> truncation(const Pair& pair);
// Bad: neither text nor a tool call.
std::optional<Finding> empty(const Pair& pair);
// Applies where either side called a tool. Bad: a tool that the request does not offer, arguments
// that are no JSON or break its schema.
std::optional<Finding> tool_contract(const Pair& pair);
// Applies where either side called a tool. Diverges where tools or arguments differ. Bad: no call.
// Value: ln(calls other / calls served) where both call.
std::optional<Finding> tool_agreement(const Pair& pair);
// Information only. Applies where both sides called tools. Diverges where they begin with another:
// a caller that runs one call after the other goes another way.
std::optional<Finding> first_tool(const Pair& pair);
// Apply to families that answer in labels or numbers; while that is not known, to pairs whose
// served answer is one. Bad, of label alone: the label is not all there is, where it always was.
std::optional<Finding> label_agreement(const Pair& pair);
std::optional<Finding> number_agreement(const Pair& pair);
// Applies where the language of both is sure. Bad: not the family's language, or, of a family with
// many, not the request's.
std::optional<Finding> language(const Pair& pair);
// Share of the smaller vocabulary that the other side has too. Applies to texts of some words;
// diverges below 0.15, where the two are about different things, unless the primary's own answers
// are known to share no more than 0.3 by the median.
std::optional<Finding> containment(const Pair& pair);
// Information only: ln(characters other / characters served).
std::optional<Finding> verbosity(const Pair& pair);
// Bad: Markdown in a family that never uses it.
std::optional<Finding> markdown(const Pair& pair);
// Applies where either side thought. Bad: thinking stands before the text.
std::optional<Finding> thinking(const Pair& pair);
// Information only. Applies where either side cites. Bad: no citation.
std::optional<Finding> citations(const Pair& pair);
// Bad: broken off, events out of order, or a gap of five seconds.
std::optional<Finding> stream_shape(const Pair& pair);
// ln(other / served).
std::optional<Finding> latency(const Pair& pair);
std::optional<Finding> first_token(const Pair& pair);
std::optional<Finding> cost(const Pair& pair);

// When a ratio counts as a difference. Between model versions +49 % of length is common and between
// two answers of one model a few per cent, so a quarter tells them apart; it is the same distance
// both ways on the logarithm's scale.
inline const double kNoticeable = std::log(1.25);

}  // namespace understudy::metrics::divergence
