#include "tests/support/http_text.h"

#include <strings.h>

#include <stdexcept>

namespace understudy::testing_support {

std::optional<std::string> field_of(std::string_view head, std::string_view name) {
  std::size_t at = head.find("\r\n");
  while (at != std::string_view::npos && at + 2 < head.size()) {
    const std::size_t begin = at + 2;
    at = head.find("\r\n", begin);
    const std::string_view line = head.substr(begin, at - begin);
    if (line.size() <= name.size() || line[name.size()] != ':' ||
        ::strncasecmp(line.data(), name.data(), name.size()) != 0)
      continue;
    std::string_view value = line.substr(name.size() + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    return std::string{value};
  }
  return std::nullopt;
}

std::optional<std::string> decode_chunks(std::string_view bytes, std::size_t& consumed) {
  std::string body;
  std::size_t at = 0;
  while (true) {
    const std::size_t line_end = bytes.find("\r\n", at);
    if (line_end == std::string_view::npos) return std::nullopt;
    const std::size_t size = std::stoul(std::string{bytes.substr(at, line_end - at)}, nullptr, 16);
    at = line_end + 2;
    if (bytes.size() < at + size + 2) return std::nullopt;
    if (bytes.substr(at + size, 2) != "\r\n") throw std::runtime_error("not a chunked body");
    body.append(bytes.substr(at, size));
    at += size + 2;
    if (size == 0) {
      consumed = at;
      return body;
    }
  }
}

}  // namespace understudy::testing_support
