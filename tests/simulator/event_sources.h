#pragma once
// Where the events of a streamed reply come from, and how faults spoil them. Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulator/message.h"

namespace understudy::simulator {

EventSource from_events(std::vector<StreamEvent> events);
// `bytes` in raw pieces of `chunk_bytes`, each in a `chunk` event.
EventSource echo_events(std::string bytes, std::size_t chunk_bytes, double delay_ms);
// `total_bytes` of filler in JSON objects, the last one with invocation metrics.
EventSource filler_events(std::uint64_t total_bytes, std::size_t chunk_bytes, double delay_ms);

// Applies the faults that change content: garbage, huge, bad_crc, exception_midstream. The others
// are the server's.
void spoil(Reply& reply);

}  // namespace understudy::simulator
