#pragma once
// Reads what a captured answer says: text, tool calls, stop reason, usage, errors, of every
// operation and model family. Pure; runs on an analysis thread; hostile answers are data, never an
// exception.

#include <cstdint>

#include "metrics/observation.h"
#include "metrics/response_reader.h"

namespace understudy::metrics {

// What is known about an attempt besides its bytes.
struct AttemptFacts {
  routing::Variant variant = routing::Variant::primary;
  Leg leg = Leg::served;
  routing::Operation operation = routing::Operation::other;
  std::string model_id;
  TimePoint begun;
  TimePoint first_byte;
  TimePoint ended;
};

// What an answer's status alone says of how the attempt ended; 0: no answer came.
ErrorClass class_of_status(int status) noexcept;

// Of an answer that nobody compares, its figures suffice: status, errors, usage and timings. What
// it says may be left out then, which saves most of the reading.
enum class Detail : std::uint8_t { figures, all };

// With an answer kept whole, everything; with beginning and tail only, status, error, usage, stop
// reason and timings as far as those show them. What CountTokens counted is the answer's text, not
// its usage: such a call uses no tokens.
Observation read_answer(const AttemptFacts& facts, const CapturedAnswer& captured,
                        Detail detail = Detail::all);

}  // namespace understudy::metrics
