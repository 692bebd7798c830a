#include "routing/fields.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace understudy::routing {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101u;

std::uint64_t eight_at(const char* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// Eight bytes at once with A to Z in lower case; others, those above ASCII too, as they are.
std::uint64_t lower(std::uint64_t word) noexcept {
  const std::uint64_t low_bits = word & (0x7F * kOnes);
  const std::uint64_t from_a = low_bits + (0x80 - 'A') * kOnes;
  const std::uint64_t beyond_z = low_bits + (0x7F - 'Z') * kOnes;
  const std::uint64_t upper_case = (from_a & ~beyond_z & ~word) & (0x80 * kOnes);
  return word | (upper_case >> 2);
}

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

// Names are compared many times per request.
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  const std::size_t size = a.size();
  if (size < 8) {
    return std::equal(a.begin(), a.end(), b.begin(),
                      [](char x, char y) { return lower(x) == lower(y); });
  }
  for (std::size_t at = 0; at + 8 < size; at += 8) {
    if (lower(eight_at(a.data() + at)) != lower(eight_at(b.data() + at))) return false;
  }
  return lower(eight_at(a.data() + size - 8)) == lower(eight_at(b.data() + size - 8));
}

std::optional<std::string_view> find_field(std::span<const Field> fields,
                                           std::string_view name) noexcept {
  for (const Field& field : fields) {
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

}  // namespace understudy::routing
