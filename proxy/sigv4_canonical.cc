#include "proxy/sigv4_canonical.h"

#include <algorithm>

#include "proxy/byte_run.h"

namespace understudy::proxy {
namespace {

// How many bytes at the beginning of `text` stand for themselves (RFC 3986 2.3).
std::size_t unreserved_length(std::string_view text) noexcept {
  return leading_run(text, [](SixteenBytes bytes) {
    const SixteenBytes lower = bytes | 0x20;
    return ((lower >= 'a') & (lower <= 'z')) | ((bytes >= '0') & (bytes <= '9')) | (bytes == '-') |
           (bytes == '.') | (bytes == '_') | (bytes == '~');
  });
}

// Takes what stands before the next `separator` off the front of `rest`; `more` tells whether there
// was one.
std::string_view take(std::string_view& rest, char separator, bool& more) {
  const std::size_t end = rest.find(separator);
  more = end != std::string_view::npos;
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(more ? end + 1 : rest.size());
  return part;
}

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}

}  // namespace

void append_percent_encoded(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  while (true) {
    const std::size_t run = unreserved_length(text);
    out.append(text.substr(0, run));
    if (run == text.size()) return;
    const auto c = static_cast<unsigned char>(text[run]);
    const char encoded[] = {'%', kHex[c >> 4], kHex[c & 15]};
    out.append(encoded, sizeof encoded);
    text.remove_prefix(run + 1);
  }
}

void append_canonical_path(std::string_view path, std::string& out) {
  const std::size_t begin = out.size();
  std::string_view rest = path;
  for (bool more = true; more;) {
    const std::string_view segment = take(rest, '/', more);
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") {
      // Slashes of the path are the only ones in `out`: those inside a segment were encoded.
      if (out.size() > begin) out.resize(out.rfind('/'));
      continue;
    }
    out.push_back('/');
    append_percent_encoded(segment, out);
  }
  if (out.size() == begin || path.back() == '/') out.push_back('/');
}

void append_canonical_query(std::string_view query, std::vector<QueryPair>& scratch,
                            std::string& out) {
  if (query.empty()) return;
  scratch.clear();
  std::string_view rest = query;
  for (bool more = true; more;) {
    const std::string_view pair = take(rest, '&', more);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    scratch.push_back({pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size()))});
  }
  std::sort(scratch.begin(), scratch.end());
  for (std::size_t i = 0; i < scratch.size(); ++i) {
    if (i > 0) out.push_back('&');
    out.append(scratch[i].name).push_back('=');
    out.append(scratch[i].value);
  }
}

void append_canonical_value(std::string_view value, std::string& out) {
  while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
  // Session tokens have no blanks and are long: two searches cost a tenth of the loop.
  if (value.find(' ') == std::string_view::npos && value.find('\t') == std::string_view::npos) {
    out.append(value);
    return;
  }
  std::size_t run = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!is_blank(value[i])) continue;
    out.append(value, run, i - run).push_back(' ');
    while (is_blank(value[i + 1])) ++i;  // the last byte is not blank
    run = i + 1;
  }
  out.append(value, run);
}

}  // namespace understudy::proxy
