#pragma once
// The characters that a field's value and a target may hold (RFC 9110 5.5, RFC 3986 2): one rule
// for HTTP/1.1 and HTTP/2, or what one lets in would be two fields to the other. Pure.

#include <cstddef>
#include <string_view>

#include "proxy/byte_run.h"

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

}  // namespace understudy::proxy
