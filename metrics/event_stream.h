#pragma once
// Decoder of `application/vnd.amazon.eventstream` (total length, headers length, prelude CRC,
// headers, payload, message CRC; all big-endian, CRC-32 as in zlib: "Event stream encoding" in the
// Amazon Transcribe Developer Guide). Works on bytes at hand, on any thread; every length is
// checked before it is used.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace understudy::metrics {

inline constexpr std::size_t kMinFrameBytes = 16;
inline constexpr std::size_t kMaxFrameHeaderBytes = 128u << 10;  // botocore's limits
inline constexpr std::size_t kMaxFramePayloadBytes = std::size_t{24} << 20;

struct Frame {
  std::string_view message_type;  // "event", "exception" or "error"
  std::string_view event_type;    // :event-type, :exception-type or :error-code
  std::string_view content_type;
  std::string_view error_message;  // :error-message of an "error"
  std::string_view payload;
  std::size_t size = 0;  // of the whole frame
};

enum class FrameStatus : std::uint8_t { ok, incomplete, malformed };

struct DecodedFrame {
  FrameStatus status = FrameStatus::incomplete;
  Frame frame;  // views into the bytes given; meaningful where ok
};

// The first twelve bytes of a frame, checked against the limits above and their own checksum; none
// where they cannot be.
struct FrameLengths {
  std::uint32_t total = 0;    // of the whole frame
  std::uint32_t headers = 0;  // of its headers
};
std::optional<FrameLengths> read_prelude(std::string_view prelude) noexcept;

// Decodes the frame at the beginning of `bytes`.
DecodedFrame decode_frame(std::string_view bytes) noexcept;

std::uint32_t crc32(std::string_view bytes, std::uint32_t seed = 0) noexcept;

}  // namespace understudy::metrics
