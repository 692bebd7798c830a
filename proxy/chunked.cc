#include "proxy/chunked.h"

#include <algorithm>

namespace understudy::proxy {
namespace {

constexpr std::size_t kMaxSizeDigits = 12;

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Bytes that may stand in an extension or a trailer; control characters may not.
bool is_text(char c) noexcept {
  return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
}

}  // namespace

// Moves on by one byte that is not data; false when it may not stand here.
bool ChunkDecoder::take_framing_byte(char c) noexcept {
  switch (place_) {
    case Place::size_first:
    case Place::size:
      if (const int digit = hex_value(c); digit >= 0) {
        if (++size_digits_ > kMaxSizeDigits) return false;
        chunk_left_ = chunk_left_ * 16 + static_cast<std::uint64_t>(digit);
        place_ = Place::size;
        return true;
      }
      if (place_ == Place::size_first) return false;
      [[fallthrough]];
    case Place::size_end:
      if (c == ';') {
        place_ = Place::extension;
      } else if (c == '\r') {
        place_ = Place::size_lf;
      } else {
        place_ = Place::size_end;
        return c == ' ' || c == '\t';
      }
      return true;
    case Place::extension:
      if (c == '\r') {
        place_ = Place::size_lf;
        return true;
      }
      return is_text(c);
    case Place::size_lf:
      if (c != '\n') return false;
      place_ = chunk_left_ == 0 ? Place::trailer_start : Place::data;
      return true;
    case Place::data_cr:
      place_ = Place::data_lf;
      return c == '\r';
    case Place::data_lf:
      place_ = Place::size_first;
      size_digits_ = 0;
      return c == '\n';
    case Place::trailer_start:
      place_ = c == '\r' ? Place::end_lf : Place::trailer_line;
      return c == '\r' || is_text(c);
    case Place::trailer_line:
      if (c == '\r') {
        place_ = Place::trailer_lf;
        return true;
      }
      return is_text(c);
    case Place::trailer_lf:
      place_ = Place::trailer_start;
      return c == '\n';
    case Place::end_lf:
      place_ = Place::done;
      return c == '\n';
    case Place::data:
    case Place::done:
      break;
  }
  return false;
}

ChunkDecoder::Step ChunkDecoder::next(std::string_view bytes) noexcept {
  Step step;
  while (step.consumed < bytes.size() && place_ != Place::done) {
    if (place_ == Place::data) {
      const auto available = static_cast<std::uint64_t>(bytes.size() - step.consumed);
      const auto size = static_cast<std::size_t>(std::min(available, chunk_left_));
      step.data = bytes.substr(step.consumed, size);
      step.consumed += size;
      data_bytes_ += size;
      chunk_left_ -= size;
      if (chunk_left_ == 0) place_ = Place::data_cr;
      return step;
    }
    if (!take_framing_byte(bytes[step.consumed])) {
      step.state = State::malformed;
      return step;
    }
    ++step.consumed;
    if (++framing_bytes_ > max_overhead_ + data_bytes_ / 8) {
      step.state = State::too_much_framing;
      return step;
    }
  }
  if (place_ == Place::done) step.state = State::done;
  return step;
}

}  // namespace understudy::proxy
