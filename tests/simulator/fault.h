#pragma once
// Ways in which an answer can go wrong, by name. A value, usable on any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::simulator {

enum class FaultKind : std::uint8_t {
  none,
  hang,                 // reads the request and never answers
  reset,                // closes with RST instead of an answer
  truncate_midstream,   // ends after N events (or half a body) without the last chunk
  hang_midstream,       // stalls after N events (or half a body)
  garbage,              // a proper head, then bytes that are no JSON and no event stream
  garbage_head,         // bytes that are no HTTP
  huge,                 // a body that never ends
  slow_headers,         // one byte of the head every N ms
  close_after_head,     // a proper head, then FIN
  close_after_reply,    // a whole answer that promises keep-alive, then FIN
  bad_crc,              // event N has a wrong message CRC
  exception_midstream,  // event N is an exception frame, then a proper end
};

struct Fault {
  FaultKind kind = FaultKind::none;
  std::uint32_t count = 0;  // N above
  std::string exception;    // e.g. throttlingException

  bool operator==(const Fault&) const = default;
};

// Reads `NAME`, `NAME:N` or `exception_midstream:NAME[:N]`; nothing when the name is unknown.
std::optional<Fault> parse_fault(std::string_view text);

// Every name that parse_fault knows, for help and error texts.
std::string_view fault_names();

}  // namespace understudy::simulator
