#include "proxy/event_signing.h"

#include <array>
#include <cstdint>

#include "metrics/event_stream.h"
#include "proxy/digest.h"
#include "proxy/sigv4_stamp.h"

namespace understudy::proxy {
namespace {

using namespace std::string_view_literals;
using std::chrono::milliseconds;

// Each header up to its value: the name behind its length, the type, the length of bytes.
constexpr std::string_view kDate = "\x05:date\x08"sv;                          // a timestamp
constexpr std::string_view kSignature = "\x10:chunk-signature\x06\x00\x20"sv;  // 32 bytes
constexpr std::size_t kDateBytes = 8;
constexpr std::size_t kPreludeBytes = 12;
constexpr std::size_t kKeptBytes = 64u << 10;  // of memory, between frames
constexpr std::size_t kHeaderBytes =
    kDate.size() + kDateBytes + kSignature.size() + std::tuple_size_v<Sha256>;

Error bad_frame(std::string what) {
  return {ErrorKind::bad_message, Side::downstream, "The request's event stream " + what + "."};
}

std::string_view as_text(const Sha256& hash) noexcept {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift & 0xFF));
}

std::int64_t read_big_endian(std::string_view bytes) noexcept {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

struct FrameHeaders {
  std::string_view date;  // the whole header
  std::string_view signature;
};

// Both of them, in any order, and nothing else.
std::optional<FrameHeaders> read_headers(std::string_view bytes) noexcept {
  FrameHeaders found;
  if (bytes.size() != kHeaderBytes) return std::nullopt;
  while (!bytes.empty()) {
    const bool is_date = bytes.starts_with(kDate);
    if (!is_date && !bytes.starts_with(kSignature)) return std::nullopt;
    const std::size_t size =
        is_date ? kDate.size() + kDateBytes : kSignature.size() + std::tuple_size_v<Sha256>;
    if (bytes.size() < size) return std::nullopt;
    if (is_date) {
      found.date = bytes.substr(0, size);
    } else {
      found.signature = bytes.substr(kSignature.size(), std::tuple_size_v<Sha256>);
    }
    bytes.remove_prefix(size);
  }
  if (found.date.empty() || found.signature.empty()) return std::nullopt;
  return found;
}

// A time that SigV4 can write: years of four digits.
std::optional<EventChain::Milliseconds> read_date(std::string_view header) noexcept {
  constexpr EventChain::Milliseconds kFirst{};
  constexpr EventChain::Milliseconds kLast =
      std::chrono::sys_days{std::chrono::year{9999} / 12 / 31};
  const EventChain::Milliseconds date{milliseconds{read_big_endian(header.substr(kDate.size()))}};
  if (date < kFirst || date > kLast) return std::nullopt;
  return date;
}

}  // namespace

std::string_view EventChain::key_of(std::string_view day) {
  if (day_ != day) {
    key_ = sigv4_key(last_.secret, day, last_.region, last_.service);
    day_ = day;
  }
  return as_text(key_);
}

Sha256 EventChain::sign(std::string_view date_header, Milliseconds date, std::string_view payload) {
  const Stamp stamp(date);
  const std::string_view day = stamp.text().substr(0, Stamp::kDayChars);
  std::string text = "AWS4-HMAC-SHA256-PAYLOAD\n";
  text.append(stamp.text()).append("\n");
  text.append(day).append("/").append(last_.region).append("/").append(last_.service);
  text.append("/aws4_request\n").append(last_.signature).append("\n");
  text.append(hex(sha256(date_header))).append("\n").append(hex(sha256(payload)));
  const Sha256 signature = hmac_sha256(key_of(day), text);
  last_.signature = hex(signature);
  return signature;
}

std::string signed_frame(EventChain& chain, EventChain::Milliseconds now,
                         std::string_view payload) {
  std::string date{kDate};
  append_big_endian(date, static_cast<std::uint64_t>(now.time_since_epoch().count()), kDateBytes);
  std::string frame;
  frame.reserve(metrics::kMinFrameBytes + kHeaderBytes + payload.size());
  append_big_endian(frame, metrics::kMinFrameBytes + kHeaderBytes + payload.size(), 4);
  append_big_endian(frame, kHeaderBytes, 4);
  append_big_endian(frame, metrics::crc32(frame), 4);
  frame.append(date).append(kSignature).append(as_text(chain.sign(date, now, payload)));
  frame.append(payload);
  append_big_endian(frame, metrics::crc32(frame), 4);
  return frame;
}

Status EventResigner::take(std::string_view bytes, EventChain::Milliseconds now, std::string& out) {
  held_.append(bytes);
  std::string_view left = held_;
  while (left.size() >= kPreludeBytes) {
    const auto lengths = metrics::read_prelude(left.substr(0, kPreludeBytes));
    if (!lengths) return bad_frame("is malformed, or a frame of it is larger than 24 MiB");
    // Known before the rest has come: what is no signed frame is not waited for.
    if (lengths->headers != kHeaderBytes) return bad_frame("has a frame that is not signed");
    if (left.size() < lengths->total) break;
    const auto decoded = metrics::decode_frame(left);
    if (decoded.status != metrics::FrameStatus::ok) return bad_frame("has a damaged frame");
    if (auto taken =
            take_frame(left.substr(0, lengths->total), left.substr(kPreludeBytes, kHeaderBytes),
                       decoded.frame.payload, now, out);
        !taken)
      return taken;
    left.remove_prefix(lengths->total);
  }
  held_.erase(0, held_.size() - left.size());
  if (held_.empty() && held_.capacity() > kKeptBytes) held_ = {};
  return {};
}

Status EventResigner::take_frame(std::string_view frame, std::string_view headers,
                                 std::string_view payload, EventChain::Milliseconds now,
                                 std::string& out) {
  if (closed_) return bad_frame("goes on behind its last frame");
  const auto told = read_headers(headers);
  const auto date = told ? read_date(told->date) : std::nullopt;
  if (!date) return bad_frame("has a frame that is not signed");
  if (client_ && !equal_in_constant_time(as_text(client_->sign(told->date, *date, payload)),
                                         told->signature)) {
    return Error{ErrorKind::credentials, Side::downstream,
                 "The signature of an event does not match the signature you provided."};
  }
  closed_ = payload.empty();
  out.append(upstream_ ? signed_frame(*upstream_, now, payload) : std::string{frame});
  return {};
}

}  // namespace understudy::proxy
