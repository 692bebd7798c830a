#include "metrics/event_stream.h"

#include <array>
#include <optional>

namespace understudy::metrics {

namespace {

constexpr std::size_t kPreludeBytes = 12;
constexpr std::size_t kCrcBytes = 4;

// Eight tables let crc32 eat eight bytes a step; a table alone costs 2.5 ns a byte, which would
// make checksums the dearest part of reading a long stream.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) ? 0xEDB88320u ^ (value >> 1) : value >> 1;
    tables[0][i] = value;
  }
  for (std::size_t slice = 1; slice < tables.size(); ++slice) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[slice - 1][i];
      tables[slice][i] = tables[0][before & 0xFF] ^ (before >> 8);
    }
  }
  return tables;
}

constexpr CrcTables kCrc = make_crc_tables();

constexpr std::uint32_t byte_at(std::string_view bytes, std::size_t at) noexcept {
  return static_cast<unsigned char>(bytes[at]);
}

constexpr std::uint32_t read_u16(std::string_view bytes, std::size_t at) noexcept {
  return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}

constexpr std::uint32_t read_u32(std::string_view bytes, std::size_t at) noexcept {
  return read_u16(bytes, at) << 16 | read_u16(bytes, at + 2);
}

constexpr std::uint32_t read_u32_little(std::string_view bytes, std::size_t at) noexcept {
  return byte_at(bytes, at) | byte_at(bytes, at + 1) << 8 | byte_at(bytes, at + 2) << 16 |
         byte_at(bytes, at + 3) << 24;
}

// Bytes of a header value behind its type byte; none for an unknown type or where the length is cut
// off.
std::optional<std::size_t> value_size(std::uint32_t type, std::string_view rest) noexcept {
  switch (type) {
    case 0:
    case 1:
      return 0;
    case 2:
      return 1;
    case 3:
      return 2;
    case 4:
      return 4;
    case 5:
    case 8:
      return 8;
    case 9:
      return 16;
    case 6:
    case 7:
      if (rest.size() < 2) return std::nullopt;
      return 2 + read_u16(rest, 0);
    default:
      return std::nullopt;
  }
}

void note_header(Frame& frame, std::string_view name, std::string_view value) noexcept {
  if (name == ":message-type") {
    frame.message_type = value;
  } else if (name == ":event-type" || name == ":exception-type" || name == ":error-code") {
    frame.event_type = value;
  } else if (name == ":content-type") {
    frame.content_type = value;
  } else if (name == ":error-message") {
    frame.error_message = value;
  }
}

bool read_headers(std::string_view bytes, Frame& frame) noexcept {
  constexpr std::uint32_t kStringType = 7;
  while (!bytes.empty()) {
    const std::size_t name_size = byte_at(bytes, 0);
    if (name_size == 0 || bytes.size() < name_size + 2) return false;
    const std::string_view name = bytes.substr(1, name_size);
    const std::uint32_t type = byte_at(bytes, 1 + name_size);
    bytes.remove_prefix(name_size + 2);
    const auto size = value_size(type, bytes);
    if (!size || *size > bytes.size()) return false;
    if (type == kStringType) note_header(frame, name, bytes.substr(2, *size - 2));
    bytes.remove_prefix(*size);
  }
  return true;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes, std::uint32_t seed) noexcept {
  std::uint32_t crc = ~seed;
  while (bytes.size() >= 8) {
    const std::uint32_t low = read_u32_little(bytes, 0) ^ crc;
    const std::uint32_t high = read_u32_little(bytes, 4);
    crc = kCrc[7][low & 0xFF] ^ kCrc[6][low >> 8 & 0xFF] ^ kCrc[5][low >> 16 & 0xFF] ^
          kCrc[4][low >> 24] ^ kCrc[3][high & 0xFF] ^ kCrc[2][high >> 8 & 0xFF] ^
          kCrc[1][high >> 16 & 0xFF] ^ kCrc[0][high >> 24];
    bytes.remove_prefix(8);
  }
  for (const char byte : bytes) {
    crc = kCrc[0][(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (crc >> 8);
  }
  return ~crc;
}

std::optional<FrameLengths> read_prelude(std::string_view prelude) noexcept {
  if (prelude.size() < kPreludeBytes) return std::nullopt;
  const FrameLengths lengths{.total = read_u32(prelude, 0), .headers = read_u32(prelude, 4)};
  if (lengths.total < kMinFrameBytes || lengths.headers > kMaxFrameHeaderBytes ||
      lengths.headers > lengths.total - kMinFrameBytes ||
      lengths.total - kMinFrameBytes - lengths.headers > kMaxFramePayloadBytes ||
      crc32(prelude.substr(0, 8)) != read_u32(prelude, 8)) {
    return std::nullopt;
  }
  return lengths;
}

DecodedFrame decode_frame(std::string_view bytes) noexcept {
  DecodedFrame decoded;
  if (bytes.size() < kPreludeBytes) return decoded;
  const auto lengths = read_prelude(bytes.substr(0, kPreludeBytes));
  if (!lengths) {
    decoded.status = FrameStatus::malformed;
    return decoded;
  }
  if (bytes.size() < lengths->total) return decoded;
  decoded.status = FrameStatus::malformed;
  const std::string_view checked = bytes.substr(0, lengths->total - kCrcBytes);
  if (crc32(checked) != read_u32(bytes, checked.size())) return decoded;
  if (!read_headers(checked.substr(kPreludeBytes, lengths->headers), decoded.frame)) return decoded;
  decoded.frame.payload = checked.substr(kPreludeBytes + lengths->headers);
  decoded.frame.size = lengths->total;
  decoded.status = FrameStatus::ok;
  return decoded;
}

}  // namespace understudy::metrics
