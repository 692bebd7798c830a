#pragma once
// The digest that names files of the SSO token cache.

#include <string>
#include <string_view>

namespace understudy::proxy::aws {

// SHA-1 as 40 lower-case hex digits. A name, not a protection.
std::string sha1_hex(std::string_view text);

}  // namespace understudy::proxy::aws
