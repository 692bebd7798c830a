#pragma once
// Recorded answers from tests/corpus/wire and a small encoder for streams of our own.

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/event_stream.h"
#include "metrics/response_reader.h"

namespace understudy::metrics::test {

inline std::string corpus(const std::string& path) {
  std::ifstream file{std::string{UNDERSTUDY_CORPUS} + "/wire/" + path, std::ios::binary};
  if (!file) throw std::runtime_error{"no sample " + path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    text.push_back(static_cast<char>(value >> shift & 0xFF));
  }
  return text;
}

inline std::string header(std::string_view name, std::string_view value) {
  std::string text;
  text.push_back(static_cast<char>(name.size()));
  text.append(name).push_back(7);
  return text.append(big_endian(value.size(), 2)).append(value);
}

inline std::string frame_of(std::string_view headers, std::string_view payload) {
  std::string text =
      big_endian(16 + headers.size() + payload.size(), 4) + big_endian(headers.size(), 4);
  text += big_endian(crc32(text), 4);
  text.append(headers).append(payload);
  return text + big_endian(crc32(text), 4);
}

inline std::string event(std::string_view type, std::string_view payload) {
  return frame_of(header(":event-type", type) + header(":content-type", "application/json") +
                      header(":message-type", "event"),
                  payload);
}

inline std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text.push_back(at + i > bytes.size() ? '=' : kDigits[group >> (18 - 6 * i) & 63]);
    }
  }
  return text;
}

// A frame of InvokeModelWithResponseStream.
inline std::string chunk(std::string_view inner) {
  return event("chunk", R"({"bytes":")" + base64(inner) + R"(","p":"abc"})");
}

inline constexpr std::size_t kEverything = std::size_t{64} << 20;

// Reads an answer as the relay would, in pieces of `piece` bytes that arrive a millisecond apart.
class Reading {
 public:
  explicit Reading(ResponseReader::Budget budget = {.beginning_bytes = kEverything,
                                                    .tail_bytes = 0})
      : reader_(pool(), budget) {}

  Reading& head(int status, const std::vector<std::pair<std::string, std::string>>& fields) {
    std::vector<routing::Field> views;
    for (const auto& [name, value] : fields) views.push_back({name, value});
    reader_.on_head(status, views);
    return *this;
  }
  Reading& stream_head() {
    return head(200, {{"Content-Type", "application/vnd.amazon.eventstream"}});
  }
  Reading& body(std::string_view bytes, std::size_t piece = std::string::npos) {
    while (!bytes.empty()) {
      now_ += std::chrono::milliseconds{1};
      reader_.on_body(bytes.substr(0, piece), now_);
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    return *this;
  }
  CapturedAnswer finish(AnswerEnd end = AnswerEnd::complete) { return reader_.finish(end); }

  TimePoint begun() const { return TimePoint{}; }

 private:
  // Outlives what tests capture.
  static BlockPool& pool() {
    static BlockPool shared;
    return shared;
  }

  ResponseReader reader_;
  TimePoint now_{};
};

}  // namespace understudy::metrics::test
