#include "routing/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>

namespace understudy::routing {

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t hash64_of_parts(std::initializer_list<std::string_view> parts) noexcept {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const std::string_view part : parts) {
    std::array<unsigned char, 8> length{};
    for (std::size_t i = 0; i < length.size(); ++i) {
      length[i] = static_cast<unsigned char>(std::uint64_t{part.size()} >> (8 * i));
    }
    XXH3_64bits_update(&state, length.data(), length.size());
    XXH3_64bits_update(&state, part.data(), part.size());
  }
  return XXH3_64bits_digest(&state);
}

std::string hex(std::uint64_t value) {
  std::string digits(16, '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, value >>= 4) {
    *digit = "0123456789abcdef"[value & 0xf];
  }
  return digits;
}

}  // namespace understudy::routing
