#pragma once
// Base64 of RFC 4648 with padding. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace understudy::simulator {

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace understudy::simulator
