#pragma once
// Digests and comparisons for secrets. Any thread.

#include <string>
#include <string_view>

#include "proxy/sigv4.h"

namespace understudy::proxy {

// Looks the algorithm up by name: for loading, not for every request (Signer::hash).
Sha256 sha256(std::string_view text);

// HMAC-SHA256 (RFC 2104) as 64 lower-case hex digits.
std::string hmac_sha256_hex(std::string_view key, std::string_view text);

// Takes the same time wherever two texts of one length differ.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace understudy::proxy
