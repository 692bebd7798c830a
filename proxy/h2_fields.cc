#include "proxy/h2_fields.h"

#include <algorithm>
#include <array>

#include "proxy/byte_run.h"
#include "proxy/field_text.h"

namespace understudy::proxy {
namespace {

constexpr std::size_t kOverhead = 32;   // of a field (RFC 9113 6.5.2)
constexpr std::size_t kHopelessly = 4;  // so many times the limit

constexpr HeadProblem kTooLarge{431, "max_header_bytes",
                                "The request's head is larger than max_header_bytes."};
constexpr HeadProblem kTooMany{431, "max_header_fields", "The request has too many header fields."};
constexpr HeadProblem kBadName{400, "header_name",
                               "A header name holds a character that names may not have in HTTP/2, "
                               "or an underscore."};
constexpr HeadProblem kBadValue{400, "header_value", "A header value holds a control character."};
constexpr HeadProblem kBadPseudo{400, "pseudo_header",
                                 "A pseudo header is unknown, missing, doubled or malformed."};
constexpr HeadProblem kBadHost{400, "host", "Host is empty or not what :authority says."};
constexpr HeadProblem kHopByHop{400, "connection",
                                "HTTP/2 has no hop-by-hop headers, and of TE only trailers."};

std::size_t usual_name_bytes(std::string_view text) noexcept {
  return leading_run(text, [](SixteenBytes bytes) {
    return ((bytes >= 'a') & (bytes <= 'z')) | ((bytes >= '0') & (bytes <= '9')) | (bytes == '-');
  });
}

// In lower case.
bool is_name(std::string_view text) noexcept {
  if (text.empty()) return false;
  for (text.remove_prefix(usual_name_bytes(text)); !text.empty();
       text.remove_prefix(usual_name_bytes(text))) {
    if (!kRareRequestNameBytes.contains(text.front())) return false;
    text.remove_prefix(1);
  }
  return true;
}

bool is_hop_by_hop(std::string_view name) noexcept {
  switch (name.size()) {
    case 7:
      return name == "upgrade";
    case 10:
      return name == "connection" || name == "keep-alive";
    case 16:
      return name == "proxy-connection";
    case 17:
      return name == "transfer-encoding";
    default:
      return false;
  }
}

}  // namespace

bool H2RequestFields::add(std::string_view name, std::string_view value, const Limits& limits) {
  bytes_ += name.size() + value.size() + kOverhead;
  if (!name.starts_with(':')) ++fields_;
  const bool hopelessly_large = bytes_ > limits.max_bytes * kHopelessly;
  if (hopelessly_large || fields_ > limits.max_fields * kHopelessly) {
    problem_ = hopelessly_large ? kTooLarge : kTooMany;
    return false;
  }
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
  if (!is_name(name)) return kBadName;
  if (!is_field_value(value)) return kBadValue;
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
  if (!place || !place->empty() || value.empty() || !is_visible_ascii(value)) return kBadPseudo;
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
  // RFC 9113 8.3.1: where both are there they name the same thing, :authority is the one that
  // counts, and neither is empty.
  if (has_host_ && !authority_.empty() && !routing::equals_ignoring_case(host_, authority_))
    return kBadHost;
  if (has_host_ && host_.empty()) return kBadHost;
  const std::string_view host = authority_.empty() ? host_ : authority_;
  const bool has_host = has_host_ || !authority_.empty();
  constexpr std::string_view kVersion = " HTTP/1.1\r\n", kHost = "host: ", kEnd = "\r\n";
  const std::array<std::string_view, 9> parts{
      method_, " ", path_, kVersion, has_host ? kHost : "", host, has_host ? kEnd : "",
      lines_,  kEnd};
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  head = blocks.take(size);
  char* to = head.data();
  for (const std::string_view part : parts) to = std::copy(part.begin(), part.end(), to);
  head.set_size(size);
  return std::nullopt;
}

void H2RequestFields::clear() noexcept {
  for (std::string* text : {&method_, &path_, &scheme_, &authority_, &host_, &lines_})
    text->clear();
  problem_.reset();
  bytes_ = fields_ = 0;
  has_host_ = false;
}

}  // namespace understudy::proxy
