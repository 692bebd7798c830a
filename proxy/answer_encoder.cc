#include "proxy/answer_encoder.h"

#include <charconv>
#include <numeric>

#include "proxy/field_text.h"
#include "proxy/http_head.h"
#include "proxy/transport.h"

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

// Where what is written next is put together.
std::string& AnswerEncoder::text() {
  return text_ ? *text_ : text_.emplace(texts_.take());
}

// All that is to be written now is in text().
bool AnswerEncoder::is_joined() const noexcept {
  return buffers_.empty() ||
         (buffers_.size() == 1 && text_ && buffers_.front().data() == text_->data());
}

void AnswerEncoder::written() noexcept {
  buffers_.clear();
  if (!text_) return;
  texts_.give_back(std::move(*text_));
  text_.reset();
}

bool AnswerEncoder::begin(const AnswerHead& head, Connection connection) {
  buffers_.clear();
  std::string& out = text();
  out.clear();
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(head.status));
  const bool has_reason = !head.reason.empty() && is_field_value(head.reason);
  out.append(" ").append(has_reason ? head.reason : usual_reason(head.status)).append("\r\n");
  append_fields(out, head.fields);
  append_fields(out, head.added);
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
    out.append("transfer-encoding: chunked\r\n");
  }
  if (head.content_length && head.status != 204) {
    out.append("content-length: ");
    append_number(out, *head.content_length);
    out.append("\r\n");
  }
  if (!keep_alive) {
    out.append("connection: close\r\n");
  } else if (connection.http_1_0) {
    out.append("connection: keep-alive\r\n");
  }
  out.append("\r\n");
  buffers_.emplace_back(out.data(), out.size());
  return keep_alive;
}

std::string_view AnswerEncoder::chunk_line(std::size_t size) {
  if (coding_ != BodyCoding::chunked || size == 0) return {};
  char* end = std::to_chars(chunk_line_.data(), chunk_line_.data() + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {chunk_line_.data(), end};
}

// Behind a chunk of `size` bytes, or behind none.
std::string_view AnswerEncoder::chunk_ending(std::size_t size, bool last) const {
  constexpr std::string_view kEnds = "\r\n0\r\n\r\n";
  if (coding_ != BodyCoding::chunked) return {};
  if (size > 0) return kEnds.substr(0, last ? kEnds.size() : 2);
  return last ? kEnds.substr(2) : std::string_view{};
}

void AnswerEncoder::add(std::span<const std::string_view> pieces, bool last) {
  if (coding_ == BodyCoding::absent) return;
  const std::size_t size = std::accumulate(pieces.begin(), pieces.end(), std::size_t{0},
                                           [](std::size_t sum, auto p) { return sum + p.size(); });
  const std::string_view line = chunk_line(size);
  const std::string_view ending = chunk_ending(size, last);
  if (size <= kCheaperCopied && is_joined()) {
    std::string& out = text();
    out.reserve(out.size() + line.size() + size + ending.size());
    out.append(line);
    for (const std::string_view piece : pieces) out.append(piece);
    out.append(ending);
    buffers_.clear();
    if (!out.empty()) buffers_.emplace_back(out.data(), out.size());
    return;
  }
  const auto list = [this](std::string_view bytes) {
    if (!bytes.empty()) buffers_.emplace_back(bytes.data(), bytes.size());
  };
  list(line);
  for (const std::string_view piece : pieces) list(piece);
  list(ending);
}

void AnswerEncoder::release() noexcept {
  written();
  std::vector<boost::asio::const_buffer>{}.swap(buffers_);
}

}  // namespace understudy::proxy
