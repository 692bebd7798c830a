#pragma once
// XXH3-64, the one hash behind decisions and names. Not for secrets: anyone can find collisions.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace understudy::routing {

// The seed lets a hash continue another: hash64(b, hash64(a)) depends on where a ends.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0) noexcept;

// Over all parts, each behind its length as eight little-endian bytes.
std::uint64_t hash64_of_parts(std::initializer_list<std::string_view> parts) noexcept;

// 16 lower-case hex digits.
std::string hex(std::uint64_t value);

}  // namespace understudy::routing
