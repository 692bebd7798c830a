#pragma once
// When credentials are renewed. Pure functions of times; botocore's figures.

#include <chrono>
#include <cstdint>

#include "proxy/credentials.h"

namespace understudy::proxy::aws {

inline constexpr std::chrono::minutes kAdvisory{15};   // before the end: renewing begins
inline constexpr std::chrono::minutes kMandatory{10};  // before the end: still not renewed is late

// Renewing begins kAdvisory before the end. What lives shorter than twice that is renewed after
// half its life: a session of 15 minutes must not be renewed from its first second on.
WallTime next_refresh(WallTime fetched, WallTime expires);

// Between tries that fail: 1 s, 2 s, 4 s, ... up to 60 s while credentials are valid and up to 10 s
// while they are late or none are there; each between half and all of that, by `random`.
std::chrono::milliseconds retry_delay(unsigned failures, bool urgent, std::uint32_t random);

// Instance metadata that hands out credentials at their end means to be believed: they go on being
// used, for kAdvisory and 2 to 10 minutes from now (as botocore does). Returns the end to go by.
WallTime extended_expiry(WallTime now, WallTime expires, std::uint32_t random);

}  // namespace understudy::proxy::aws
