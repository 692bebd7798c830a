#pragma once
// One stream of an HTTP/2 connection, as the session keeps it: what has come of the request and
// what has gone of the answer. Owned by the H2Session, which alone changes it; one thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/blocks.h"
#include "proxy/body_budget.h"
#include "proxy/http_head.h"

namespace understudy::proxy {

struct H2Stream {
  H2Stream(std::int32_t stream_id, BodyBudget& bodies) : id(stream_id), share(bodies) {}
  // As new; keeps its memory for another stream.
  void become(std::int32_t stream_id, BodyBudget& bodies) {
    auto kept = std::move(parts);
    kept.clear();
    *this = H2Stream(stream_id, bodies);
    parts = std::move(kept);
  }

  std::int32_t id;

  // The request.
  metrics::Block head;                 // as HTTP/1.1, for scan_request_head()
  std::optional<HeadProblem> problem;  // why there is none
  metrics::Block body;
  BodyShare share;  // of all bodies' budget; none is taken for one that is handed on in parts
  bool drops_body = false;
  bool streams_body = false;   // handed on in parts: what is in `body` was not taken yet
  std::size_t given_back = 0;  // of it, bytes whose room in the window the client has already
  bool request_ended = false;

  // The answer.
  bool answered = false;                // its head was handed in
  bool head_sent = false;               // and has been made a frame
  std::vector<std::string_view> parts;  // of the body, handed in and not yet in frames
  std::size_t first_part = 0;
  std::size_t unsent = 0;  // bytes in them
  bool last_given = false;
  bool answer_ended = false;
  bool cut = false;        // by us, for no fault of the client's
  bool in_flight = false;  // a write under way refers to the parts

  bool closed = false;  // for the library: nothing more can be sent or comes in
  bool held = false;    // somebody was told of it, who has to release() it

  // What was handed in and has not all been made frames.
  bool sending() const noexcept {
    return !closed && (!head_sent || unsent > 0 || (last_given && !answer_ended));
  }
};

}  // namespace understudy::proxy
