#pragma once
// What texts are measured by. Pure functions.

#include <cstdint>
#include <string_view>

namespace understudy::metrics {

// Characters (code points) of UTF-8: all bytes but those that continue one. What is no UTF-8 is
// counted the same way.
std::uint64_t characters(std::string_view utf8) noexcept;

}  // namespace understudy::metrics
