#pragma once
// How many bytes of a text are of one kind, sixteen at a time: heads are read by every request, and
// nearly all of their bytes are ordinary. Written with the compiler's vectors, so that it is the
// same on every processor; where SSE2 is there (all of x86-64), a mask becomes a number in one
// step.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace understudy::proxy {

// So that clang takes it, too, which builds the fuzzers.
using SixteenBytes __attribute__((vector_size(16))) = std::uint8_t;

inline SixteenBytes load_sixteen(const char* from) noexcept {
  SixteenBytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

// `mask` has 0xFF or 0 in each place, as a comparison makes it. 16 where none is 0.
template <typename Mask>
std::size_t first_unset(Mask mask) noexcept {
  static_assert(std::endian::native == std::endian::little && sizeof(Mask) == 16);
#ifdef __SSE2__
  const auto bits = static_cast<std::uint32_t>(_mm_movemask_epi8(std::bit_cast<__m128i>(mask)));
  return static_cast<std::size_t>(std::countr_one(bits));
#else
  const auto halves = std::bit_cast<std::array<std::uint64_t, 2> >(mask);
  const int set =
      halves[0] != ~std::uint64_t{0} ? std::countr_one(halves[0]) : 64 + std::countr_one(halves[1]);
  return static_cast<std::size_t>(set) / 8;
#endif
}

// The length of the run of bytes at the beginning of `text` that `is_of_kind` takes; it gets
// SixteenBytes, answers with a mask and takes no zero byte.
template <typename IsOfKind>
std::size_t leading_run(std::string_view text, IsOfKind is_of_kind) noexcept {
  constexpr std::size_t kStep = sizeof(SixteenBytes);
  std::size_t at = 0;
  for (; text.size() - at >= kStep; at += kStep) {
    const std::size_t run = first_unset(is_of_kind(load_sixteen(text.data() + at)));
    if (run < kStep) return at + run;
  }
  if (at > 0) {  // the last sixteen; those of them that were looked at before are of the kind
    const std::size_t last = text.size() - kStep;
    return last + first_unset(is_of_kind(load_sixteen(text.data() + last)));
  }
  std::array<char, kStep> rest{};
  text.copy(rest.data(), kStep, at);
  return at + std::min(text.size() - at, first_unset(is_of_kind(load_sixteen(rest.data()))));
}

}  // namespace understudy::proxy
