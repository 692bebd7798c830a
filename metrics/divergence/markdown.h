#pragma once
// Which marks of Markdown a text uses: one scan over its lines.

#include <cstdint>
#include <string_view>

namespace understudy::metrics::divergence {

enum Markdown : std::uint8_t {
  kHeading = 1,
  kBold = 2,
  kList = 4,
  kTable = 8,
  kFence = 16,
};
// A mask of Markdown; of at most the first 64 KiB.
std::uint8_t markdown_of(std::string_view text) noexcept;

}  // namespace understudy::metrics::divergence
