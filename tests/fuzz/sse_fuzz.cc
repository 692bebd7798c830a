// Server-sent events: the same ones however the bytes are split, within the limit, nothing left
// over.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/sse.h"

namespace {

constexpr std::size_t kLimit = 256;
using Events = std::vector<std::pair<std::string, std::string>>;

Events decode(std::string_view bytes, std::size_t piece) {
  understudy::metrics::SseDecoder decoder{kLimit};
  const std::size_t all = bytes.size();
  Events events;
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (const auto event = decoder.next(part)) {
      if (event->data.size() > kLimit || event->type.size() > decoder.kMaxType) std::abort();
      events.emplace_back(event->type, event->data);
    }
    if (!part.empty()) std::abort();
  }
  if (decoder.taken() != all) std::abort();
  return events;
}

}  // namespace

// The first byte is the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view body{reinterpret_cast<const char*>(data) + 1, size - 1};
  if (decode(body, body.size()) != decode(body, data[0] + std::size_t{1})) std::abort();
  return 0;
}
