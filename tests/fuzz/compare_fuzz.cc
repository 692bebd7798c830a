#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metrics/comparison.h"

// Two answers split at the first NUL. Nothing may crash, values stay numbers, and swapping the
// sides swaps the findings.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace understudy::metrics;
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const std::size_t cut = std::min(bytes.find('\0'), bytes.size());
  Observation served, other;
  served.status = other.status = 200;
  served.answer.parsed = other.answer.parsed = true;
  served.answer.text = bytes.substr(0, cut);
  other.answer.text = bytes.substr(std::min(cut + 1, bytes.size()));
  const Comparison there = compare(served, other);
  const Comparison back = compare(other, served);
  if (there.findings.size() != back.findings.size()) std::abort();
  for (std::size_t i = 0; i < there.findings.size(); ++i) {
    if (!std::isfinite(there.findings[i].value) ||
        there.findings[i].served_bad != back.findings[i].other_bad) {
      std::abort();
    }
  }
  return 0;
}
