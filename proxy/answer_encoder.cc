#include "proxy/answer_encoder.h"

#include <charconv>
#include <numeric>

#include "proxy/http_head.h"

namespace understudy::proxy {
namespace {

std::string_view usual_reason(int status) noexcept {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  out.append(digits.data(),
             std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

}  // namespace

bool AnswerEncoder::begin(const AnswerHead& head, Connection connection) {
  head_.clear();
  head_.append("HTTP/1.1 ");
  append_number(head_, static_cast<std::uint64_t>(head.status));
  head_.append(" ")
      .append(head.reason.empty() ? usual_reason(head.status) : head.reason)
      .append("\r\n");
  append_fields(head_, head.fields);
  append_fields(head_, head.added);
  bool keep_alive = connection.keep_alive;
  if (!head.has_body) {
    coding_ = BodyCoding::absent;
  } else if (head.content_length) {
    coding_ = BodyCoding::plain;
  } else if (connection.http_1_0) {
    // No chunks there: the end of the connection is the end of the body.
    coding_ = BodyCoding::plain;
    keep_alive = false;
  } else {
    coding_ = BodyCoding::chunked;
    head_.append("transfer-encoding: chunked\r\n");
  }
  if (head.content_length && head.status != 204) {
    head_.append("content-length: ");
    append_number(head_, *head.content_length);
    head_.append("\r\n");
  }
  if (!keep_alive) {
    head_.append("connection: close\r\n");
  } else if (connection.http_1_0) {
    head_.append("connection: keep-alive\r\n");
  }
  head_.append("\r\n");
  buffers_.assign(1, {head_.data(), head_.size()});
  return keep_alive;
}

void AnswerEncoder::add(std::span<const std::string_view> pieces, bool last) {
  if (coding_ == BodyCoding::absent) return;
  const std::size_t size = std::accumulate(pieces.begin(), pieces.end(), std::size_t{0},
                                           [](std::size_t sum, auto p) { return sum + p.size(); });
  const bool chunked = coding_ == BodyCoding::chunked;
  if (chunked && size > 0) {
    char* end = std::to_chars(chunk_line_.data(), chunk_line_.data() + 16, size, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    buffers_.emplace_back(chunk_line_.data(), static_cast<std::size_t>(end - chunk_line_.data()));
  }
  for (const std::string_view piece : pieces) {
    if (!piece.empty()) buffers_.emplace_back(piece.data(), piece.size());
  }
  if (!chunked) return;
  constexpr std::string_view kEnds = "\r\n0\r\n\r\n";
  const std::string_view ending =
      size > 0 ? kEnds.substr(0, last ? 7 : 2) : (last ? kEnds.substr(2) : std::string_view{});
  if (!ending.empty()) buffers_.emplace_back(ending.data(), ending.size());
}

void AnswerEncoder::release() noexcept {
  std::string{}.swap(head_);
  std::vector<boost::asio::const_buffer>{}.swap(buffers_);
}

}  // namespace understudy::proxy
