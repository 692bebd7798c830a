#pragma once
// HTTP/2 frames as bytes (RFC 9113), right and wrong ones. Header blocks are written without
// Huffman coding or the dynamic table, so that a test can say anything in them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct nghttp2_hd_inflater;

namespace understudy::testing_support {

namespace h2 {

enum Type : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
enum Flag : std::uint8_t { kNone = 0, kAck = 1, kEndStream = 1, kEndHeaders = 4 };
enum Error : std::uint32_t {
  kNoError = 0,
  kProtocolError = 1,
  kInternalError = 2,
  kCancel = 8,
  kEnhanceYourCalm = 11,
};
enum Setting : std::uint16_t { kInitialWindow = 4 };

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
  bool is(Type wanted) const { return type == wanted; }
  bool has(Flag flag) const { return (flags & flag) != 0; }
  std::uint32_t number(std::size_t at) const;  // four bytes of the payload
};

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                  std::string_view payload);
std::string number(std::uint32_t value);  // four bytes
std::string settings(const std::vector<std::pair<Setting, std::uint32_t>>& entries = {});
std::string data(std::uint32_t stream, std::string_view bytes, bool last = true);
std::string reset(std::uint32_t stream, Error error = kCancel);
std::string window_update(std::uint32_t stream, std::uint32_t by);
std::string goaway(std::uint32_t last_stream, Error error = kNoError);
std::string ping(std::string_view eight_bytes = "pingpong");

std::string block(const Fields& fields);
std::string headers(std::uint32_t stream, const Fields& fields, bool last = true);
// The fields of a POST; `more` behind them.
Fields post_fields(std::string_view target, const Fields& more = {});
// A whole POST.
std::string post(std::uint32_t stream, std::string_view target, std::string_view body,
                 const Fields& more = {});
std::string converse(std::uint32_t stream, std::string_view text);

// Takes the first whole frame off `bytes`; none while it is not there.
std::optional<Frame> take_frame(std::string& bytes);

// Reads header blocks of one connection, in their order.
class HeadReader {
 public:
  HeadReader();
  ~HeadReader();
  HeadReader(const HeadReader&) = delete;
  HeadReader& operator=(const HeadReader&) = delete;
  Fields read(std::string_view whole_block);  // throws where it is none

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace h2

}  // namespace understudy::testing_support
