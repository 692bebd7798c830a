#pragma once
// How JSON stands in a text. Bounded for prose full of brackets.

#include <cstdint>
#include <string_view>

namespace understudy::metrics::divergence {

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

}  // namespace understudy::metrics::divergence
