#pragma once
// Moments as AWS writes them. Pure functions over text from outside.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/credentials.h"

namespace understudy::proxy::aws {

// ISO 8601 as STS, IMDS, the caches and processes write it: "2026-11-21T03:20:00Z", with a fraction
// (cut off), an offset ("+00:00"), "UTC" or nothing (then UTC) at its end; also the basic form
// "20261121T032000Z" of signatures. Years 1970 to 9999. None for all else.
std::optional<WallTime> parse_timestamp(std::string_view text);

// Digits alone, at most ten years.
std::optional<std::chrono::seconds> parse_seconds(std::string_view text);

// "2026-11-21T03:20:00Z"
std::string format_timestamp(WallTime when);

}  // namespace understudy::proxy::aws
