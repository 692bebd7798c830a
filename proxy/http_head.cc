#include "proxy/http_head.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace understudy::proxy {
namespace {

using routing::equals_ignoring_case;
using routing::Field;

constexpr std::uint8_t kTokenByte = 1;   // may stand in a field name or method (RFC 9110 5.6.2)
constexpr std::uint8_t kTargetByte = 2;  // visible ASCII

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0x21; c < 0x7F; ++c) classes[c] = kTokenByte | kTargetByte;
  for (const char c : std::string_view{"\"(),/:;<=>?@[\\]{}"}) {
    classes[static_cast<unsigned char>(c)] = kTargetByte;
  }
  return classes;
}
constexpr auto kClasses = make_classes();

// No control character but HTAB.
bool is_field_value_bytewise(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7F;
  });
}

// Whether one of the eight bytes may be below 0x20 or 0x7F (the borrow makes some guesses wrong,
// never in the other direction).
bool may_hold_control(const char* eight) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  constexpr std::uint64_t kHighBits = 0x80 * kOnes;
  std::uint64_t word = 0;
  std::memcpy(&word, eight, 8);
  const std::uint64_t without_del = word ^ (0x7F * kOnes);
  const std::uint64_t below_space = (word - 0x20 * kOnes) & ~word;
  const std::uint64_t is_del = (without_del - kOnes) & ~without_del;
  return ((below_space | is_del) & kHighBits) != 0;
}

// The same, eight bytes at a time: values are most of what a head consists of.
bool is_field_value(std::string_view text) noexcept {
  if (text.size() < 8) return is_field_value_bytewise(text);
  bool suspect = may_hold_control(text.data() + text.size() - 8);  // overlaps those before
  for (std::size_t at = 0; at + 8 <= text.size(); at += 8) {
    suspect |= may_hold_control(text.data() + at);
  }
  return !suspect || is_field_value_bytewise(text);
}

bool is_token(char c) noexcept {
  return (kClasses[static_cast<unsigned char>(c)] & kTokenByte) != 0;
}

bool all_of_class(std::string_view text, std::uint8_t wanted) noexcept {
  std::uint8_t common = wanted;
  for (const char c : text) common &= kClasses[static_cast<unsigned char>(c)];
  return common != 0;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// What the scan knows by name. Everything else is an ordinary end-to-end field.
enum class Known : std::uint8_t {
  ordinary,
  host,
  content_length,
  transfer_encoding,
  connection,
  hop_by_hop,  // te, trailer, upgrade, keep-alive, proxy-*
  expect,
  content_type,
  authorization,
  api_key,
  invocation_id,
  family,
  dropped,  // ends at this proxy: x-amz-*, cookie, accept-encoding
};

// `name` in any case; `lower` in lower case, same length.
bool is(std::string_view name, std::string_view lower) noexcept {
  return equals_ignoring_case(name, lower);
}

bool starts_with(std::string_view name, std::string_view lower) noexcept {
  return name.size() >= lower.size() && is(name.substr(0, lower.size()), lower);
}

Known recognise(std::string_view name) noexcept {
  switch (name.size()) {
    case 2:
      if (is(name, "te")) return Known::hop_by_hop;
      break;
    case 4:
      if (is(name, "host")) return Known::host;
      break;
    case 6:
      if (is(name, "expect")) return Known::expect;
      if (is(name, "cookie")) return Known::dropped;
      break;
    case 7:
      if (is(name, "upgrade") || is(name, "trailer")) return Known::hop_by_hop;
      break;
    case 9:
      if (is(name, "x-api-key")) return Known::api_key;
      break;
    case 10:
      if (is(name, "connection")) return Known::connection;
      if (is(name, "keep-alive")) return Known::hop_by_hop;
      break;
    case 12:
      if (is(name, "content-type")) return Known::content_type;
      break;
    case 13:
      if (is(name, "authorization")) return Known::authorization;
      break;
    case 14:
      if (is(name, "content-length")) return Known::content_length;
      break;
    case 15:
      if (is(name, "accept-encoding")) return Known::dropped;
      break;
    case 17:
      if (is(name, "transfer-encoding")) return Known::transfer_encoding;
      break;
    case 19:
      if (is(name, "x-understudy-family")) return Known::family;
      break;
    case 21:
      if (is(name, "amz-sdk-invocation-id")) return Known::invocation_id;
      break;
    default:
      break;
  }
  if (starts_with(name, "x-amz-")) return Known::dropped;
  if (starts_with(name, "proxy-")) return Known::hop_by_hop;
  return Known::ordinary;
}

struct Nominated {
  bool close = false;
  bool keep_alive = false;
  std::string_view others;  // the whole value, where it names more than those two
};

template <typename Visit>
void for_each_token(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (const auto token = trim(list.substr(0, comma)); !token.empty()) visit(token);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
}

// A field that a Connection header may not take away: what the framing, the routing or the
// signature rests on.
bool is_protected(std::string_view name) noexcept {
  return starts_with(name, "content-") || starts_with(name, "x-amz") ||
         starts_with(name, "amz-sdk") || is(name, "host") || is(name, "authorization") ||
         is(name, "x-api-key") || starts_with(name, "x-understudy");
}

constexpr HeadProblem kBadConnection{
    400, "connection", "The Connection header names a field that must reach the end."};

std::optional<HeadProblem> apply_connection(const Nominated& nominated,
                                            std::vector<Field>& fields) {
  std::optional<HeadProblem> problem;
  for_each_token(nominated.others, [&](std::string_view token) {
    if (is(token, "close") || is(token, "keep-alive")) return;
    if (is_protected(token)) {
      problem = kBadConnection;
      return;
    }
    std::erase_if(fields,
                  [&](const Field& field) { return equals_ignoring_case(field.name, token); });
  });
  return problem;
}

// 1*DIGIT, at most 12 of them.
std::optional<std::uint64_t> parse_length(std::string_view value) noexcept {
  if (value.empty() || value.size() > 12) return std::nullopt;
  std::uint64_t length = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return length;
}

// What both kinds of head have in common, collected line by line.
struct Collected {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  Nominated connection;
  std::size_t count = 0;
};

// One line without its CRLF into name and value. The name is checked here, which also refuses
// folded lines (they begin with a space) and a space before the colon.
std::optional<HeadProblem> split_field(std::string_view line, Field& field) noexcept {
  std::size_t colon = 0;
  while (colon < line.size() && is_token(line[colon])) ++colon;
  if (colon == line.size() || line[colon] != ':' || colon == 0) {
    if (line.find(':') == std::string_view::npos || line[0] == ':') {
      return HeadProblem{400, "header_line", "A header line has no name or no colon."};
    }
    return HeadProblem{
        400, "header_name",
        "A header name holds a character that names do not have, or a line is folded."};
  }
  field.name = line.substr(0, colon);
  field.value = trim(line.substr(colon + 1));
  if (!is_field_value(field.value)) {
    return HeadProblem{400, "header_value", "A header value holds a control character."};
  }
  return std::nullopt;
}

std::optional<HeadProblem> collect_framing(Known known, std::string_view value,
                                           Collected& collected) noexcept {
  switch (known) {
    case Known::content_length: {
      if (collected.content_length)
        return HeadProblem{400, "content_length", "Content-Length is given twice."};
      collected.content_length = parse_length(value);
      if (!collected.content_length) {
        return HeadProblem{400, "content_length",
                           "Content-Length is not a plain number of at most 12 digits."};
      }
      return std::nullopt;
    }
    case Known::transfer_encoding: {
      if (collected.chunked || !is(value, "chunked")) {
        return HeadProblem{501, "transfer_encoding",
                           "Transfer-Encoding must be one field that says chunked."};
      }
      collected.chunked = true;
      return std::nullopt;
    }
    case Known::connection: {
      const std::string_view named_before = collected.connection.others;
      for_each_token(value, [&](std::string_view token) {
        if (is(token, "close")) {
          collected.connection.close = true;
        } else if (is(token, "keep-alive")) {
          collected.connection.keep_alive = true;
        } else {
          collected.connection.others = value;
        }
      });
      // Only one such list is kept, and one that is not applied would let a hop-by-hop field
      // through.
      if (!named_before.empty() && collected.connection.others.data() != named_before.data()) {
        return HeadProblem{400, "connection", "Two Connection headers name fields."};
      }
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

constexpr HeadProblem kBothFramings{400, "framing",
                                    "Content-Length and Transfer-Encoding exclude each other."};
constexpr HeadProblem kTooManyFields{431, "max_header_fields",
                                     "The request has too many header fields."};
constexpr HeadProblem kBadLineEnd{400, "line_end", "A line does not end in CR LF."};

// Calls `visit(line)` for every line of `block` up to the empty one; each must end in CRLF and hold
// no bare CR.
template <typename Visit>
std::optional<HeadProblem> for_each_line(std::string_view block, Visit visit) {
  while (true) {
    const std::size_t lf = block.find('\n');
    if (lf == std::string_view::npos || lf == 0 || block[lf - 1] != '\r') return kBadLineEnd;
    const std::string_view line = block.substr(0, lf - 1);
    if (line.empty()) return std::nullopt;
    if (auto problem = visit(line)) return problem;
    block.remove_prefix(lf + 1);
  }
}

std::optional<HeadProblem> scan_request_line(std::string_view line, const HeadLimits& limits,
                                             RequestHead& out) {
  constexpr HeadProblem kBadLine{
      400, "request_line",
      "The request line is not: method, one space, target, one space, HTTP/1.1."};
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return kBadLine;
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (out.method.empty() || !all_of_class(out.method, kTokenByte)) return kBadLine;
  if (out.target.empty() || !all_of_class(out.target, kTargetByte)) return kBadLine;
  if (out.target.size() > limits.max_target_bytes) {
    return HeadProblem{414, "max_target_bytes", "The request target is too long."};
  }
  if (version == "HTTP/1.1") {
    out.http_1_0 = false;
  } else if (version == "HTTP/1.0") {
    out.http_1_0 = true;
  } else if (!starts_with(version, "http/")) {
    return HeadProblem{0, "request_line", "This is not HTTP."};
  } else {
    return HeadProblem{505, "version", "Only HTTP/1.1 and HTTP/1.0 are understood here."};
  }
  return std::nullopt;
}

}  // namespace

void append_field(std::string& out, std::string_view name, std::string_view value) {
  // Grown once and written behind the end: heads are made of dozens of these.
  const std::size_t at = out.size();
  out.resize(at + name.size() + value.size() + 4);
  char* to = out.data() + at;
  to = std::copy(name.begin(), name.end(), to);
  *to++ = ':';
  *to++ = ' ';
  to = std::copy(value.begin(), value.end(), to);
  *to++ = '\r';
  *to = '\n';
}

std::size_t find_head_end(std::string_view bytes, std::size_t& searched) noexcept {
  // Up to three bytes of the terminator may have arrived with the last read.
  const std::size_t from = searched > 3 ? searched - 3 : 0;
  const std::size_t at = bytes.find("\r\n\r\n", from);
  searched = bytes.size();
  return at == std::string_view::npos ? at : at + 4;
}

std::optional<HeadProblem> scan_request_head(std::string_view head, const HeadLimits& limits,
                                             RequestHead& out) {
  std::vector<Field> fields = std::move(out.fields);
  fields.clear();
  out = RequestHead{};
  out.fields = std::move(fields);

  const std::size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return kBadLineEnd;
  if (auto problem = scan_request_line(head.substr(0, line_end), limits, out)) return problem;

  Collected collected;
  bool has_host = false;
  const auto visit = [&](std::string_view line) -> std::optional<HeadProblem> {
    if (++collected.count > limits.max_fields) return kTooManyFields;
    Field field;
    if (auto problem = split_field(line, field)) return problem;
    const Known known = recognise(field.name);
    switch (known) {
      case Known::ordinary:
        out.fields.push_back(field);
        return std::nullopt;
      case Known::host:
        if (std::exchange(has_host, true)) return HeadProblem{400, "host", "Host is given twice."};
        out.host = field.value;
        return std::nullopt;
      case Known::expect:
        if (!is(field.value, "100-continue"))
          return HeadProblem{417, "expect", "Only Expect: 100-continue is understood."};
        out.expects_continue = true;
        return std::nullopt;
      case Known::content_type:
        out.content_type = field.value;
        out.fields.push_back(field);
        return std::nullopt;
      case Known::invocation_id:
        out.invocation_id = field.value;
        out.fields.push_back(field);
        return std::nullopt;
      case Known::authorization:
        if (!out.authorization.empty())
          return HeadProblem{400, "authorization", "Authorization is given twice."};
        out.authorization = field.value;
        return std::nullopt;
      case Known::api_key:
        out.api_key = field.value;
        return std::nullopt;
      case Known::family:
        out.family = field.value;
        return std::nullopt;
      case Known::content_length:
      case Known::transfer_encoding:
      case Known::connection:
        return collect_framing(known, field.value, collected);
      case Known::dropped:
        out.ended.push_back(field);
        return std::nullopt;
      case Known::hop_by_hop:
        return std::nullopt;
    }
    return std::nullopt;
  };
  if (auto problem = for_each_line(head.substr(line_end + 2), visit)) return problem;

  if (!has_host && !out.http_1_0) return HeadProblem{400, "host", "Host is missing."};
  if (collected.chunked && collected.content_length) return kBothFramings;
  if (collected.chunked && out.http_1_0)
    return HeadProblem{400, "framing", "HTTP/1.0 has no chunked bodies."};
  if (auto problem = apply_connection(collected.connection, out.fields)) return problem;
  out.keep_alive =
      !collected.connection.close && (!out.http_1_0 || collected.connection.keep_alive);
  out.content_length = collected.content_length.value_or(0);
  if (collected.chunked) {
    out.framing = Framing::chunked;
  } else if (out.content_length > 0) {
    out.framing = Framing::content_length;
  }
  return std::nullopt;
}

std::optional<HeadProblem> scan_response_head(std::string_view head, const HeadLimits& limits,
                                              bool to_head_request, ResponseHead& out) {
  std::vector<Field> fields = std::move(out.fields);
  fields.clear();
  out = ResponseHead{};
  out.fields = std::move(fields);

  constexpr HeadProblem kBadStatusLine{502, "status_line",
                                       "The status line is not HTTP/1.1, a space, three digits."};
  const std::size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return kBadLineEnd;
  const std::string_view line = head.substr(0, line_end);
  const bool http_1_0 = line.starts_with("HTTP/1.0 ");
  if (line.size() < 12 || !(http_1_0 || line.starts_with("HTTP/1.1 "))) return kBadStatusLine;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return kBadStatusLine;
    out.status = out.status * 10 + (c - '0');
  }
  if (out.status < 100 || (line.size() > 12 && line[12] != ' ')) return kBadStatusLine;
  out.reason = line.size() > 13 ? line.substr(13) : std::string_view{};
  if (!out.reason.empty() && !is_field_value(out.reason)) return kBadStatusLine;

  Collected collected;
  const auto visit = [&](std::string_view field_line) -> std::optional<HeadProblem> {
    if (++collected.count > limits.max_fields) return kTooManyFields;
    Field field;
    if (auto problem = split_field(field_line, field)) return problem;
    const Known known = recognise(field.name);
    switch (known) {
      case Known::content_length:
      case Known::transfer_encoding:
      case Known::connection:
        return collect_framing(known, field.value, collected);
      case Known::hop_by_hop:
        return std::nullopt;
      default:
        out.fields.push_back(field);
        return std::nullopt;
    }
  };
  if (auto problem = for_each_line(head.substr(line_end + 2), visit)) return problem;
  if (collected.chunked && collected.content_length) return kBothFramings;
  // A nomination by the upstream only takes fields off the answer, which is no danger to us.
  for_each_token(collected.connection.others, [&](std::string_view token) {
    std::erase_if(out.fields,
                  [&](const Field& field) { return equals_ignoring_case(field.name, token); });
  });

  out.keep_alive = !collected.connection.close && (!http_1_0 || collected.connection.keep_alive);
  const bool bodiless =
      to_head_request || out.status < 200 || out.status == 204 || out.status == 304;
  if (bodiless) {
    out.framing = Framing::none;
    out.content_length = collected.content_length.value_or(0);
  } else if (collected.chunked) {
    out.framing = Framing::chunked;
  } else if (collected.content_length) {
    out.content_length = *collected.content_length;
    out.framing = out.content_length > 0 ? Framing::content_length : Framing::none;
  } else {
    out.framing = Framing::until_close;
    out.keep_alive = false;
  }
  return std::nullopt;
}

}  // namespace understudy::proxy
