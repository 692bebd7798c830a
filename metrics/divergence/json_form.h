#pragma once
// How JSON stands in a text. Bounded for prose full of brackets; a text longer than kMaxJson is not
// taken for JSON.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace understudy::metrics::divergence {

inline constexpr std::size_t kMaxJson = 4u << 20;

enum class Container : std::uint8_t {
  none,
  bare,
  fenced,   // the text is one code fence
  wrapped,  // in prose
};

struct JsonForm {
  Container container = Container::none;
  bool valid = false;
  std::string_view json;  // the piece, where it is valid; views the text
};
JsonForm json_form(std::string_view text);

// Whether the text sets out to be JSON and ends before its brackets close.
bool json_breaks_off(std::string_view text);

}  // namespace understudy::metrics::divergence
