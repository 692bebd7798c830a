// The chunked coding: read in one piece, byte by byte and in uneven pieces, it must come to the
// same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/chunked.h"

namespace {

using understudy::proxy::ChunkDecoder;

struct Decoded {
  ChunkDecoder::State state = ChunkDecoder::State::more;
  std::string data;
  std::size_t consumed = 0;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view bytes, std::size_t step) {
  ChunkDecoder decoder(64u << 10);
  Decoded all;
  while (all.consumed < bytes.size() && all.state == ChunkDecoder::State::more) {
    const auto part = decoder.next(bytes.substr(all.consumed, step));
    if (part.consumed + part.data.size() == 0 && part.state == ChunkDecoder::State::more)
      std::abort();  // no progress: a reader would spin
    all.state = part.state;
    all.data += part.data;
    all.consumed += part.consumed;
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Decoded whole = decode(bytes, size);
  if (whole.data.size() > whole.consumed || whole.consumed > size) std::abort();
  if (decode(bytes, 1) != whole || decode(bytes, 7) != whole) std::abort();
  return 0;
}
