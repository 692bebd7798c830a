#pragma once
// Digests and comparisons for secrets. Any thread.

#include <string>
#include <string_view>

#include "proxy/credentials.h"
#include "proxy/sigv4.h"

namespace understudy::proxy {

// Looks the algorithm up by name: for loading, not for every request (Signer::hash).
Sha256 sha256(std::string_view text);

// RFC 2104, for what is signed a few dozen times a second at most.
Sha256 hmac_sha256(std::string_view key, std::string_view text);
// The same as 64 lower-case hex digits.
std::string hmac_sha256_hex(std::string_view key, std::string_view text);

// SigV4's key of a day, region and service. (A Signer has derived its own, in contexts that it
// keeps.)
Sha256 sigv4_key(const Secret& secret, std::string_view day, std::string_view region,
                 std::string_view service);

// 64 lower-case hex digits.
std::string hex(const Sha256& digest);

// Takes the same time wherever two texts of one length differ.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace understudy::proxy
