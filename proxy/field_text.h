#pragma once
// The characters that a field's name, its value and a target may hold (RFC 9110 5.5 and 5.6.2, RFC
// 3986 2): one rule for HTTP/1.1 and HTTP/2, or what one lets in would be two fields to the other.
// The same rule stands behind whatever writes a head, so that nothing leaves that could not have
// come in. Pure.

#include <cstddef>
#include <string>
#include <string_view>

#include "proxy/byte_run.h"
#include "routing/byte_set.h"

namespace understudy::proxy {

// Up to the first control character but HTAB.
inline std::size_t field_value_length(std::string_view text) noexcept {
  return leading_run(text, [](SixteenBytes bytes) {
    return ((bytes >= 0x20) & (bytes != 0x7F)) | (bytes == '\t');
  });
}

inline bool is_field_value(std::string_view text) noexcept {
  return field_value_length(text) == text.size();
}

inline bool is_visible_ascii(std::string_view text) noexcept {
  return leading_run(text, [](SixteenBytes bytes) { return (bytes > 0x20) & (bytes < 0x7F); }) ==
         text.size();
}

// What a token has beside letters, digits and hyphens. In the names of a request's fields the
// underscore is missing: servers that hand fields on as variables (CGI, WSGI) read Content_Length
// as Content-Length, and no client of Bedrock sends one.
inline constexpr routing::ByteSet kRareTokenBytes("!#$%&'*+.^_`|~");
inline constexpr routing::ByteSet kRareRequestNameBytes("!#$%&'*+.^`|~");

// How much of `text` is a token: a method, a field's name.
inline std::size_t token_length(std::string_view text,
                                const routing::ByteSet& rare = kRareTokenBytes) noexcept {
  for (std::size_t length = 0;; ++length) {
    length += leading_run(text.substr(length), [](SixteenBytes bytes) {
      const SixteenBytes lower = bytes | 0x20;
      return ((lower >= 'a') & (lower <= 'z')) | ((bytes >= '0') & (bytes <= '9')) | (bytes == '-');
    });
    if (length == text.size() || !rare.contains(text[length])) return length;
  }
}

inline bool is_token(std::string_view text) noexcept {
  return !text.empty() && token_length(text) == text.size();
}

// What may be written as a field: one, and nothing behind it. Whatever has passed a scan is.
inline bool is_field(std::string_view name, std::string_view value) noexcept {
  return is_token(name) && is_field_value(value);
}

// The first line of a request. A client's method and target have passed the gate and ours come from
// a config that was checked: should a byte still stand in them that could end a word or the line,
// '_' is written for it, and the upstream finds no such thing or a signature that does not fit.
inline void append_request_line(std::string& out, std::string_view method,
                                std::string_view target) {
  const auto append = [&out](std::string_view word) {
    if (is_visible_ascii(word)) {
      out.append(word);
    } else {
      for (const char c : word) out.push_back(is_visible_ascii({&c, 1}) ? c : '_');
    }
  };
  append(method);
  out.push_back(' ');
  append(target);
  out.append(" HTTP/1.1\r\n");
}

}  // namespace understudy::proxy
