#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "metrics/divergence/signals.h"

namespace understudy::metrics::divergence {

namespace {

// Of UTF-8: continuation bytes (10xxxxxx) do not count. Eight at a time, for answers are long.
double characters(std::string_view utf8) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  std::size_t continuing = 0;
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
  return static_cast<double>(utf8.size() - continuing);
}

}  // namespace

std::optional<Finding> verbosity(const Pair& pair) {
  const auto& [served, other, expected, served_text, other_text] = pair;
  if (!both_answered(pair)) return std::nullopt;
  const double here = characters(served.answer.text);
  const double there = characters(other.answer.text);
  if (here < 1.0 || there < 1.0) return std::nullopt;
  const double ratio = std::log(there / here);
  return Finding{
      .signal = Signal::verbosity, .diverges = std::abs(ratio) > kNoticeable, .value = ratio};
}

}  // namespace understudy::metrics::divergence
