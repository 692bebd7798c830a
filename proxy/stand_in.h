#pragma once
// When another variant answers in the place of the one that was asked: the primary for a candidate
// that fails (fallback), the candidate for a primary whose model is gone. Values and pure
// functions; io thread.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/served_outcome.h"
#include "proxy/error.h"
#include "proxy/http_head.h"
#include "proxy/task.h"
#include "proxy/upstream_call.h"

namespace understudy::proxy {

// Why an answer of that status is none that a client should get while the primary can give another;
// none for a success.
std::optional<metrics::FallbackReason> fallback_reason(int status) noexcept;
// The same of an attempt that came to no answer; none where that is the client's doing.
std::optional<metrics::FallbackReason> fallback_reason(const Error& error) noexcept;

// An answer that is looked at before it is passed on: a small error as a rule.
struct HeldAnswer {
  static constexpr std::size_t kMaxBytes = 16u << 10;

  std::string fields;  // what the head's views point into from now on
  std::string body;    // so far
  bool last = false;   // `body` is all of it
};

// Reads the body until it ends or kMaxBytes are exceeded. `head` is the one that the call read.
Task<Status> hold_answer(UpstreamCall& call, ResponseHead& head, HeldAnswer& held);

}  // namespace understudy::proxy
