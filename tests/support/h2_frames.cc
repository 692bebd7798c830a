#include "tests/support/h2_frames.h"

#include <nghttp2/nghttp2.h>

#include <stdexcept>

#include "tests/support/raw_client.h"

namespace understudy::testing_support::h2 {
namespace {

constexpr std::size_t kFrameHead = 9;

void append(std::string& to, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    to.push_back(static_cast<char>(value >> shift & 0xFF));
}

std::uint32_t read(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// RFC 7541 5.1 with a prefix of seven bits, which is all the string lengths here.
void append_length(std::string& to, std::size_t length) {
  if (length < 127) return to.push_back(static_cast<char>(length));
  to.push_back(127);
  for (length -= 127; length >= 128; length /= 128)
    to.push_back(static_cast<char>(length % 128 + 128));
  to.push_back(static_cast<char>(length));
}

}  // namespace

std::uint32_t Frame::number(std::size_t at) const {
  return read(std::string_view{payload}.substr(at, 4));
}

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                  std::string_view payload) {
  std::string bytes;
  append(bytes, payload.size(), 3);
  append(bytes, type, 1);
  append(bytes, flags, 1);
  append(bytes, stream, 4);
  return bytes.append(payload);
}

std::string number(std::uint32_t value) {
  std::string bytes;
  append(bytes, value, 4);
  return bytes;
}

std::string settings(const std::vector<std::pair<Setting, std::uint32_t>>& entries) {
  std::string payload;
  for (const auto& [id, value] : entries) {
    append(payload, id, 2);
    append(payload, value, 4);
  }
  return frame(kSettings, kNone, 0, payload);
}

std::string data(std::uint32_t stream, std::string_view bytes, bool last) {
  return frame(kData, last ? kEndStream : kNone, stream, bytes);
}
std::string reset(std::uint32_t stream, Error error) {
  return frame(kReset, kNone, stream, number(error));
}
std::string window_update(std::uint32_t stream, std::uint32_t by) {
  return frame(kWindowUpdate, kNone, stream, number(by));
}
std::string goaway(std::uint32_t last_stream, Error error) {
  return frame(kGoaway, kNone, 0, number(last_stream) + number(error));
}
std::string ping(std::string_view eight_bytes) {
  return frame(kPing, kNone, 0, eight_bytes);
}

std::string block(const Fields& fields) {
  std::string bytes;
  for (const auto& [name, value] : fields) {
    bytes.push_back(0);  // literal without indexing, new name (RFC 7541 6.2.2)
    append_length(bytes, name.size());
    bytes.append(name);
    append_length(bytes, value.size());
    bytes.append(value);
  }
  return bytes;
}

std::string headers(std::uint32_t stream, const Fields& fields, bool last) {
  constexpr std::size_t kMost = 16'384;
  const std::string all = block(fields);
  std::string_view left = all;
  std::string bytes;
  bool first = true;
  do {
    const std::string_view piece = left.substr(0, kMost);
    left.remove_prefix(piece.size());
    const int flags = (first && last ? kEndStream : kNone) | (left.empty() ? kEndHeaders : kNone);
    bytes +=
        frame(first ? kHeaders : kContinuation, static_cast<std::uint8_t>(flags), stream, piece);
    first = false;
  } while (!left.empty());
  return bytes;
}

Fields post_fields(std::string_view target, const Fields& more) {
  Fields fields{{":method", "POST"},
                {":scheme", "http"},
                {":authority", "localhost"},
                {":path", std::string{target}}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

std::string post(std::uint32_t stream, std::string_view target, std::string_view body,
                 const Fields& more) {
  constexpr std::size_t kMost = 16'384;
  std::string bytes = headers(stream, post_fields(target, more), body.empty());
  while (!body.empty()) {
    const std::string_view piece = body.substr(0, kMost);
    body.remove_prefix(piece.size());
    bytes += data(stream, piece, body.empty());
  }
  return bytes;
}

std::string converse(std::uint32_t stream, std::string_view text) {
  return post(stream, "/model/amazon.primary-v1%3A0/converse", converse_body(text),
              {{"content-type", "application/json"}});
}

std::optional<Frame> take_frame(std::string& bytes) {
  if (bytes.size() < kFrameHead) return std::nullopt;
  const std::size_t size = read(std::string_view{bytes}.substr(0, 3));
  if (bytes.size() < kFrameHead + size) return std::nullopt;
  Frame taken{.type = static_cast<std::uint8_t>(bytes[3]),
              .flags = static_cast<std::uint8_t>(bytes[4]),
              .stream = read(std::string_view{bytes}.substr(5, 4)),
              .payload = bytes.substr(kFrameHead, size)};
  bytes.erase(0, kFrameHead + size);
  return taken;
}

HeadReader::HeadReader() {
  if (nghttp2_hd_inflate_new(&inflater_) != 0) throw std::bad_alloc();
}
HeadReader::~HeadReader() {
  nghttp2_hd_inflate_del(inflater_);
}

Fields HeadReader::read(std::string_view whole_block) {
  Fields fields;
  const auto* at = reinterpret_cast<const std::uint8_t*>(whole_block.data());
  std::size_t left = whole_block.size();
  while (true) {
    nghttp2_nv field{};
    int flags = 0;
    const auto used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
    if (used < 0) throw std::runtime_error("not a header block");
    at += used;
    left -= static_cast<std::size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      fields.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                          std::string(reinterpret_cast<char*>(field.value), field.valuelen));
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(inflater_);
      return fields;
    }
    if (left == 0 && used == 0) throw std::runtime_error("half a header block");
  }
}

}  // namespace understudy::testing_support::h2
