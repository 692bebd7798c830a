#pragma once
// Requests and replies between the network side (server.cc) and the simulated service: values
// without a library of their own.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/simulator/fault.h"

namespace understudy::simulator {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;
  std::string target;  // as it came on the wire
  Headers headers;     // in order, names as they came
  std::string body;

  // The first value of that name, in any case; empty when absent.
  std::string_view header(std::string_view name) const;
  std::string_view path() const;
  std::string_view query() const;
};

struct StreamEvent {
  std::string bytes;
  double delay_ms = 0;  // before it is sent
};

// Gives the next event, or nothing at the end. Called by one thread at a time.
using EventSource = std::function<std::optional<StreamEvent>()>;

struct Reply {
  unsigned status = 200;
  Headers headers;  // besides Date, Connection, x-amzn-RequestId and the framing, which the server
                    // writes
  std::string body;
  EventSource events;       // when set the reply is chunked, and `body` is unused
  bool both_ways = false;   // the events of the request are echoed as they come
  std::string error_event;  // of a stream of server-sent events: how it says that it failed
  double delay_ms = 0;      // before the head
  Fault fault;
};

bool equal_ignoring_case(std::string_view a, std::string_view b);
// Decodes %XX; bytes that are no proper escape stay as they are.
std::string percent_decode(std::string_view text);

}  // namespace understudy::simulator
