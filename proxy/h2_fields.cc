#include "proxy/h2_fields.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace understudy::proxy {
namespace {

constexpr std::size_t kOverhead = 32;   // of a field (RFC 9113 6.5.2)
constexpr std::size_t kHopelessly = 4;  // so many times the limit

constexpr HeadProblem kTooLarge{431, "max_header_bytes",
                                "The request's head is larger than max_header_bytes."};
constexpr HeadProblem kTooMany{431, "max_header_fields", "The request has too many header fields."};
constexpr HeadProblem kBadName{400, "header_name",
                               "A header name holds a character that names do not have in HTTP/2."};
constexpr HeadProblem kBadValue{400, "header_value", "A header value holds a control character."};
constexpr HeadProblem kBadPseudo{400, "pseudo_header",
                                 "A pseudo header is unknown, missing, doubled or malformed."};
constexpr HeadProblem kBadHost{400, "host", "Host is not what :authority says."};
constexpr HeadProblem kHopByHop{400, "connection",
                                "HTTP/2 has no hop-by-hop headers, and of TE only trailers."};

// A character of names (RFC 9110 5.6.2) in lower case.
constexpr bool is_name_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

constexpr bool is_visible(char c) noexcept {
  return c > 0x20 && c < 0x7F;
}

constexpr bool is_value_byte(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 || c == '\t') && byte != 0x7F;
}

bool is_hop_by_hop(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 5> kNames{"connection", "keep-alive", "proxy-connection",
                                                   "transfer-encoding", "upgrade"};
  return std::ranges::find(kNames, name) != kNames.end();
}

}  // namespace

bool H2RequestFields::add(std::string_view name, std::string_view value, const Limits& limits) {
  bytes_ += name.size() + value.size() + kOverhead;
  if (!name.starts_with(':')) ++fields_;
  if (bytes_ > limits.max_bytes * kHopelessly || fields_ > limits.max_fields * kHopelessly)
    return false;
  if (problem_) return true;
  if (bytes_ > limits.max_bytes) {
    problem_ = kTooLarge;
  } else if (fields_ > limits.max_fields) {
    problem_ = kTooMany;
  } else {
    problem_ = take(name, value);
  }
  return true;
}

void H2RequestFields::refuse() noexcept {
  if (!problem_) problem_ = kBadValue;
}

std::optional<HeadProblem> H2RequestFields::take(std::string_view name, std::string_view value) {
  if (name.starts_with(':')) return take_pseudo(name.substr(1), value);
  if (name.empty() || !std::ranges::all_of(name, is_name_byte)) return kBadName;
  if (!std::ranges::all_of(value, is_value_byte)) return kBadValue;
  if (is_hop_by_hop(name)) return kHopByHop;
  if (name == "te" && !routing::equals_ignoring_case(value, "trailers")) return kHopByHop;
  if (name == "host") return take_host(value);
  append_field(lines_, name, value);
  return std::nullopt;
}

std::optional<HeadProblem> H2RequestFields::take_pseudo(std::string_view name,
                                                        std::string_view value) {
  std::string* place = nullptr;
  if (name == "method") place = &method_;
  if (name == "path") place = &path_;
  if (name == "scheme") place = &scheme_;
  if (name == "authority") place = &authority_;
  if (!place || !place->empty() || value.empty() || !std::ranges::all_of(value, is_visible))
    return kBadPseudo;
  *place = value;
  return std::nullopt;
}

std::optional<HeadProblem> H2RequestFields::take_host(std::string_view value) {
  if (has_host_) return HeadProblem{400, "host", "Host is given twice."};
  has_host_ = true;
  host_ = value;
  return std::nullopt;
}

std::optional<HeadProblem> H2RequestFields::finish(metrics::BlockPool& blocks,
                                                   metrics::Block& head) {
  if (problem_) return problem_;
  if (method_ == "CONNECT") return HeadProblem{400, "target", "CONNECT is not served here."};
  if (method_.empty() || path_.empty() || (scheme_ != "http" && scheme_ != "https"))
    return kBadPseudo;
  // RFC 9113 8.3.1: where both are there they name the same thing; :authority is the one that
  // counts.
  if (has_host_ && !authority_.empty() && !routing::equals_ignoring_case(host_, authority_))
    return kBadHost;
  std::string text;
  text.reserve(method_.size() + path_.size() + lines_.size() + authority_.size() + host_.size() +
               64);
  text.append(method_).append(" ").append(path_).append(" HTTP/1.1\r\n");
  if (!authority_.empty()) {
    append_field(text, "host", authority_);
  } else if (has_host_) {
    append_field(text, "host", host_);
  }
  text.append(lines_).append("\r\n");
  head = blocks.take(text.size());
  std::memcpy(head.data(), text.data(), text.size());
  head.set_size(text.size());
  return std::nullopt;
}

}  // namespace understudy::proxy
