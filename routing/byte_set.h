#pragma once
// A set of bytes, and the search for one. std::string_view::find_first_of() calls memchr() for
// every byte that it looks at, which made the look into a body its dearest part.

#include <array>
#include <cstddef>
#include <string_view>

namespace understudy::routing {

class ByteSet {
 public:
  constexpr explicit ByteSet(std::string_view members) noexcept {
    for (const char member : members) holds_[static_cast<unsigned char>(member)] = true;
  }

  constexpr bool contains(char byte) const noexcept {
    return holds_[static_cast<unsigned char>(byte)];
  }

  // The first member, or the first byte that is none, from `from` on; text.size() where there is
  // none.
  constexpr std::size_t find_in(std::string_view text, std::size_t from) const noexcept {
    while (from < text.size() && !contains(text[from])) ++from;
    return from < text.size() ? from : text.size();
  }
  constexpr std::size_t skip_in(std::string_view text, std::size_t from) const noexcept {
    while (from < text.size() && contains(text[from])) ++from;
    return from < text.size() ? from : text.size();
  }

 private:
  std::array<bool, 256> holds_{};
};

}  // namespace understudy::routing
