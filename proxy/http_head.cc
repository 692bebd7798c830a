#include "proxy/http_head.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proxy/byte_run.h"
#include "proxy/field_text.h"

namespace understudy::proxy {
namespace {

using routing::equals_ignoring_case;
using routing::Field;

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

bool starts_with(std::string_view text, std::string_view lower) noexcept {
  return text.size() >= lower.size() && equals_ignoring_case(text.substr(0, lower.size()), lower);
}

// Whether a field's name begins with `lower`: lower-case letters, digits and hyphens. In a token,
// only the two cases of a letter become equal when the bit between them is set.
template <std::size_t kSize>
bool begins_with(std::string_view name, const char (&lower)[kSize]) noexcept {
  constexpr std::size_t kLength = kSize - 1;
  if (name.size() < kLength) return false;
  if constexpr (kLength < 8) {
    unsigned different = 0;
    for (std::size_t i = 0; i < kLength; ++i) {
      different |=
          (static_cast<unsigned char>(name[i]) | 0x20u) ^ static_cast<unsigned char>(lower[i]);
    }
    return different == 0;
  } else {
    std::uint64_t different = 0;
    for (std::size_t i = 0; i < kLength; i += 8) {
      const std::size_t at = std::min(i, kLength - 8);  // the last one overlaps
      std::uint64_t some = 0, wanted = 0;
      std::memcpy(&some, name.data() + at, 8);
      std::memcpy(&wanted, lower + at, 8);
      different |= (some | 0x2020202020202020u) ^ wanted;
    }
    return different == 0;
  }
}

Known recognise(std::string_view name) noexcept {
  switch (name.size()) {
    case 2:
      if (begins_with(name, "te")) return Known::hop_by_hop;
      break;
    case 4:
      if (begins_with(name, "host")) return Known::host;
      break;
    case 6:
      if (begins_with(name, "expect")) return Known::expect;
      if (begins_with(name, "cookie")) return Known::dropped;
      break;
    case 7:
      if (begins_with(name, "upgrade") || begins_with(name, "trailer")) return Known::hop_by_hop;
      break;
    case 9:
      if (begins_with(name, "x-api-key")) return Known::api_key;
      break;
    case 10:
      if (begins_with(name, "connection")) return Known::connection;
      if (begins_with(name, "keep-alive")) return Known::hop_by_hop;
      break;
    case 12:
      if (begins_with(name, "content-type")) return Known::content_type;
      break;
    case 13:
      if (begins_with(name, "authorization")) return Known::authorization;
      break;
    case 14:
      if (begins_with(name, "content-length")) return Known::content_length;
      break;
    case 15:
      if (begins_with(name, "accept-encoding")) return Known::dropped;
      break;
    case 17:
      if (begins_with(name, "transfer-encoding")) return Known::transfer_encoding;
      break;
    case 19:
      if (begins_with(name, "x-understudy-family")) return Known::family;
      break;
    case 21:
      if (begins_with(name, "amz-sdk-invocation-id")) return Known::invocation_id;
      break;
    default:
      break;
  }
  if (begins_with(name, "x-amz-")) return Known::dropped;
  if (begins_with(name, "proxy-")) return Known::hop_by_hop;
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
         starts_with(name, "amz-sdk") || equals_ignoring_case(name, "host") ||
         equals_ignoring_case(name, "authorization") || equals_ignoring_case(name, "x-api-key") ||
         starts_with(name, "x-understudy");
}

constexpr HeadProblem kBadConnection{
    400, "connection", "The Connection header names a field that must reach the end."};

std::optional<HeadProblem> apply_connection(const Nominated& nominated,
                                            std::vector<Field>& fields) {
  std::optional<HeadProblem> problem;
  for_each_token(nominated.others, [&](std::string_view token) {
    if (equals_ignoring_case(token, "close") || equals_ignoring_case(token, "keep-alive")) return;
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
};

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
      if (collected.chunked || !equals_ignoring_case(value, "chunked")) {
        return HeadProblem{501, "transfer_encoding",
                           "Transfer-Encoding must be one field that says chunked."};
      }
      collected.chunked = true;
      return std::nullopt;
    }
    case Known::connection: {
      const std::string_view named_before = collected.connection.others;
      for_each_token(value, [&](std::string_view token) {
        if (equals_ignoring_case(token, "close")) {
          collected.connection.close = true;
        } else if (equals_ignoring_case(token, "keep-alive")) {
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

// What is wrong with the line at the beginning of `rest`, which take_field did not take. `rare`:
// what its name may have beside letters, digits and hyphens.
HeadProblem field_problem(std::string_view rest, const routing::ByteSet& rare) noexcept {
  const std::size_t lf = rest.find('\n');
  if (lf == std::string_view::npos || lf == 0 || rest[lf - 1] != '\r') return kBadLineEnd;
  const std::string_view line = rest.substr(0, lf - 1);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0)
    return {400, "header_line", "A header line has no name or no colon."};
  if (token_length(line.substr(0, colon), rare) != colon) {
    return {
        400, "header_name",
        "A header name holds a character that names may not have (in a request, an underscore is "
        "one), or a line is folded."};
  }
  return {400, "header_value", "A header value holds a control character."};
}

// Takes one line, "name: value" and CRLF, off the beginning of `rest`. A folded line (it begins
// with a space) and a space before the colon make no name.
std::optional<HeadProblem> take_field(std::string_view& rest, const routing::ByteSet& rare,
                                      Field& field) noexcept {
  const std::size_t colon = token_length(rest, rare);
  if (colon == 0 || colon == rest.size() || rest[colon] != ':') return field_problem(rest, rare);
  const std::size_t from = colon + 1;
  const std::size_t end = from + field_value_length(rest.substr(from));
  if (!rest.substr(end).starts_with("\r\n")) return field_problem(rest, rare);
  field = {rest.substr(0, colon), trim(rest.substr(from, end - from))};
  rest.remove_prefix(end + 2);
  return std::nullopt;
}

// Calls `visit(field)` for every field of `block`, which the empty line ends.
template <typename Visit>
std::optional<HeadProblem> for_each_field(std::string_view block, std::size_t max_fields,
                                          const routing::ByteSet& rare, Visit visit) {
  for (std::size_t count = 0; !block.starts_with("\r\n"); ++count) {
    if (count == max_fields) return kTooManyFields;
    Field field;
    if (auto problem = take_field(block, rare, field)) return problem;
    if (auto problem = visit(field)) return problem;
  }
  return std::nullopt;
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
  if (!is_token(out.method)) return kBadLine;
  if (out.target.empty() || !is_visible_ascii(out.target)) return kBadLine;
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

const char* end_of(std::string_view text) noexcept {
  return text.data() + text.size();
}

// How many of the first `fields` stood one behind the other in their head just as append_field
// writes them. Only looks at bytes that a name and its value, or two fields, enclose.
std::size_t lines_in_one_piece(std::span<const Field> fields) noexcept {
  std::size_t count = 0;
  for (const char* line = fields[0].name.data(); count < fields.size(); ++count) {
    const auto& [name, value] = fields[count];
    if (name.data() != line || value.data() != end_of(name) + 2) break;
    const std::string_view whole(line, name.size() + 2 + value.size());
    if (whole.substr(name.size(), 2) != ": " || !is_field_value(whole)) break;
    if (count > 0 && std::string_view(line - 2, 2) != "\r\n") break;
    line = end_of(value) + 2;  // behind the CRLF, where no space stood before it
  }
  return count;
}

}  // namespace

void append_field(std::string& out, std::string_view name, std::string_view value) {
  if (!is_field(name, value)) return;
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

void append_fields(std::string& out, std::span<const Field> fields) {
  while (!fields.empty()) {
    const std::size_t count = lines_in_one_piece(fields);
    if (count < 2) {
      append_field(out, fields[0].name, fields[0].value);
      fields = fields.subspan(1);
      continue;
    }
    const char* begin = fields[0].name.data();
    out.append(begin, end_of(fields[count - 1].value)).append("\r\n");
    fields = fields.subspan(count);
  }
}

void RequestHead::clear() noexcept {
  RequestHead empty;
  empty.fields = std::move(fields);
  empty.ended = std::move(ended);
  empty.fields.clear();
  empty.ended.clear();
  *this = std::move(empty);
}

std::size_t find_head_end(std::string_view bytes, std::size_t& searched) noexcept {
  // Up to three bytes of the terminator may have arrived with the last read.
  std::size_t from = searched > 3 ? searched - 3 : 0;
  searched = bytes.size();
  // Past all places where no two line feeds stand as far apart as the terminator's.
  for (; from + 3 + sizeof(SixteenBytes) <= bytes.size(); from += sizeof(SixteenBytes)) {
    const auto ends_line = load_sixteen(bytes.data() + from + 1) == '\n';
    const auto ends_next = load_sixteen(bytes.data() + from + 3) == '\n';
    if (first_unset(~(ends_line & ends_next)) < sizeof(SixteenBytes)) break;
  }
  const std::size_t at = bytes.find("\r\n\r\n", from);
  return at == std::string_view::npos ? at : at + 4;
}

std::optional<HeadProblem> scan_request_head(std::string_view head, const HeadLimits& limits,
                                             RequestHead& out) {
  out.clear();

  const std::size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return kBadLineEnd;
  if (auto problem = scan_request_line(head.substr(0, line_end), limits, out)) return problem;

  Collected collected;
  bool has_host = false;
  const auto visit = [&](const Field& field) -> std::optional<HeadProblem> {
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
        if (!equals_ignoring_case(field.value, "100-continue"))
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
  if (auto problem = for_each_field(head.substr(line_end + 2), limits.max_fields,
                                    kRareRequestNameBytes, visit))
    return problem;

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
  const auto visit = [&](const Field& field) -> std::optional<HeadProblem> {
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
  if (auto problem =
          for_each_field(head.substr(line_end + 2), limits.max_fields, kRareTokenBytes, visit))
    return problem;
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
