#pragma once
// Writes `application/vnd.amazon.eventstream` frames as Bedrock does: three string headers, then
// JSON. Pure functions. Written apart from the decoder in metrics/, so that each checks the other.

#include <cstdint>
#include <string>
#include <string_view>

namespace understudy::simulator {

// `payload` is the frame's JSON.
std::string encode_event(std::string_view event_type, std::string_view payload);
std::string encode_exception(std::string_view exception_type, std::string_view payload);

// The padding that Bedrock adds to every event as "p" to hide the length of tokens: a prefix of the
// alphabet, 2..61 long.
std::string_view padding(std::uint64_t draw);

// Flips the last byte, which belongs to the message CRC.
void break_crc(std::string& frame);

}  // namespace understudy::simulator
