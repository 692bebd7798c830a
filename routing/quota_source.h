#pragma once
// Where a candidate's quota comes from besides its figures: `from`, `part`, `every` and `name` of
// candidate.quota, which one thread asks for now and then. They are taken out of Config::settings,
// which hold every key that was read. Pure; any thread.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "routing/config.h"

namespace understudy::routing {

// Of `quota: {from: service_quotas}`.
struct ServiceQuotaSource {
  Percent part{kAllTraffic};  // of the account's quota that is this proxy's
  milliseconds every = 1h;    // between two readings
  std::string name{};         // as the quotas call the model; empty: as its id tells
};

// None where that route's quota is not read.
std::optional<ServiceQuotaSource> service_quota_source(const Config& config,
                                                       std::string_view route);

// The largest figure of a quota. Where the quota is read, a figure that the config does not give is
// that one: it limits nothing, and the volume is measured all the same.
inline constexpr std::uint64_t kLargestQuota = 1'000'000'000'000;

}  // namespace understudy::routing
