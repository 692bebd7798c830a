#include "metrics/utf8.h"

#include <cstring>

namespace understudy::metrics {

// Continuation bytes are 10xxxxxx. Eight at a time, for answers are long.
std::uint64_t characters(std::string_view utf8) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  std::uint64_t continuing = 0;
  for (std::size_t at = 0; at < utf8.size(); at += 8) {
    std::uint64_t eight = 0;
    if (at + 8 <= utf8.size()) {
      std::memcpy(&eight, utf8.data() + at, 8);  // of a known size it is one instruction
    } else {
      std::memcpy(&eight, utf8.data() + at, utf8.size() - at);
    }
    const std::uint64_t flags = (eight >> 7) & (~eight >> 6) & kOnes;
    continuing += (flags * kOnes) >> 56;  // adds the eight flags up
  }
  return utf8.size() - continuing;
}

}  // namespace understudy::metrics
