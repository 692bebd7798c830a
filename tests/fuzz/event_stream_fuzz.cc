#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metrics/event_stream.h"

// Walks whatever comes as a stream; what is decoded must lie within it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes{reinterpret_cast<const char*>(data), size};
  while (!bytes.empty()) {
    const auto decoded = understudy::metrics::decode_frame(bytes);
    if (decoded.status != understudy::metrics::FrameStatus::ok) break;
    if (decoded.frame.size < understudy::metrics::kMinFrameBytes ||
        decoded.frame.size > bytes.size() || decoded.frame.payload.size() > decoded.frame.size) {
      std::abort();
    }
    bytes.remove_prefix(decoded.frame.size);
  }
  return 0;
}
