#pragma once
// Reads what a stream of server-sent events says: the second wire's answers. Pure; analysis thread.

#include <optional>

#include "metrics/families/answer_builder.h"
#include "metrics/response_reader.h"
#include "routing/operation.h"

namespace understudy::metrics {

// What became of a stream, of either form.
struct StreamOutcome {
  bool understood = false;  // all of it was there, and some of it was what the operation promises
  bool broken = false;      // it was cut, malformed, or ended without its end mark
  std::optional<TimePoint> first_content, last_content;
};

// With a stream whose middle was let go: its beginning, and its tail from the first event that
// begins there. An end mark is `message_stop`, `[DONE]` or `response.completed` and its kin.
StreamOutcome read_sse(routing::Operation operation, const CapturedAnswer& captured,
                       families::AnswerBuilder& into);

}  // namespace understudy::metrics
