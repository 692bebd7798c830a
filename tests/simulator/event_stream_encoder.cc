#include "tests/simulator/event_stream_encoder.h"

#include <array>
#include <cstddef>

namespace understudy::simulator {
namespace {

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1u) != 0 ? 0xedb88320u : 0u);
    table[i] = value;
  }
  return table;
}();

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes)
    crc = kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xffu] ^ (crc >> 8);
  return ~crc;
}

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((value >> shift) & 0xffu));
}

void put_string_header(std::string& out, std::string_view name, std::string_view value) {
  constexpr char kStringType = 7;
  out.push_back(static_cast<char>(name.size()));
  out.append(name);
  out.push_back(kStringType);
  out.push_back(static_cast<char>((value.size() >> 8) & 0xffu));
  out.push_back(static_cast<char>(value.size() & 0xffu));
  out.append(value);
}

std::string encode(std::string_view type_header, std::string_view type,
                   std::string_view message_type, std::string_view payload) {
  std::string headers;
  put_string_header(headers, type_header, type);
  put_string_header(headers, ":content-type", "application/json");
  put_string_header(headers, ":message-type", message_type);

  std::string frame;
  const std::size_t total = 16 + headers.size() + payload.size();
  frame.reserve(total);
  put_u32(frame, static_cast<std::uint32_t>(total));
  put_u32(frame, static_cast<std::uint32_t>(headers.size()));
  put_u32(frame, crc32(frame));
  frame.append(headers).append(payload);
  put_u32(frame, crc32(frame));
  return frame;
}

}  // namespace

std::string encode_event(std::string_view event_type, std::string_view payload) {
  return encode(":event-type", event_type, "event", payload);
}

std::string encode_exception(std::string_view exception_type, std::string_view payload) {
  return encode(":exception-type", exception_type, "exception", payload);
}

std::string_view padding(std::uint64_t draw) {
  static constexpr std::string_view kAlphabet =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return kAlphabet.substr(0, 2 + draw % 60);
}

void break_crc(std::string& frame) {
  if (!frame.empty()) frame.back() = static_cast<char>(frame.back() ^ 0x55);
}

}  // namespace understudy::simulator
