#pragma once
// The chunked transfer coding (RFC 9112 7.1), decoded in place as bytes arrive. Trailers are read
// and dropped: merged into the fields they would be an injection. What the sender may spend on
// framing (size lines, extensions, trailers) is capped, so that a body of tiny chunks with long
// extensions is refused.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace understudy::proxy {

class ChunkDecoder {
 public:
  // `max_overhead` bytes of framing are allowed, and one more for every eight of data.
  explicit ChunkDecoder(std::size_t max_overhead) noexcept : max_overhead_(max_overhead) {}

  enum class State : std::uint8_t { more, done, malformed, too_much_framing };

  struct Step {
    State state = State::more;
    std::string_view data;     // body bytes found; may be empty
    std::size_t consumed = 0;  // bytes of the input that are dealt with, `data` included
  };

  // Reads from `bytes` until the first piece of data has been found or all is consumed. Call again
  // with the rest while the state is `more` and something is left. After `done` the rest belongs to
  // the next message.
  Step next(std::string_view bytes) noexcept;

  // Bytes of the current chunk that are still to come, as its size line said.
  std::uint64_t announced() const noexcept { return chunk_left_; }

 private:
  enum class Place : std::uint8_t {
    size_first,  // the first digit of a chunk size
    size,        // further digits
    size_end,    // blanks behind them: an extension or the line's end follows
    extension,   // from ';' to the line's end
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,  // at the beginning of a trailer line
    trailer_line,
    trailer_lf,
    end_lf,
    done,
  };

  bool take_framing_byte(char c) noexcept;

  std::uint64_t max_overhead_;
  Place place_ = Place::size_first;
  std::uint64_t chunk_left_ = 0;
  std::uint64_t framing_bytes_ = 0;
  std::uint64_t data_bytes_ = 0;
  std::size_t size_digits_ = 0;
};

}  // namespace understudy::proxy
