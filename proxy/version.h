#pragma once
// The version of this program, as --version and /api/status tell it.

#include <string_view>

namespace understudy::proxy {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace understudy::proxy
