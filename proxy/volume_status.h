#pragma once
// A route's measured peak, at each stage of its rollout, against the candidate's quota: what the
// rollout's gate says, JSON, and metrics. Pure functions of what is handed in; any thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/volume_book.h"
#include "routing/config.h"

namespace understudy::proxy {

// VolumeBook::peak.
using VolumeSource = std::function<std::optional<VolumePeak>(std::string_view route)>;

// What was read of the quota of a candidate whose config says `from: service_quotas`. What is not
// known must not be taken for room: no stage begins while one of the two figures was neither read
// nor stands in the config.
struct QuotaReading {
  bool asked = false;  // by the config; else the rest means nothing
  std::optional<std::uint64_t> requests_per_minute{}, tokens_per_minute{};
  std::string problem = "they have not been read yet";  // empty: the last reading was good
  std::optional<std::chrono::system_clock::time_point> read{};
};
// QuotaPoll::reading. The route is one of that config: its upstream is a place among the config's,
// and another config has others there.
using QuotaSource =
    std::function<QuotaReading(const routing::Config& config, const routing::RouteConfig& route)>;

// What would be asked of the candidate in a minute, served and copies together.
struct StageVolume {
  routing::Percent percent;
  VolumePeak asked;
  bool fits = true;
  std::string text;  // a clause with the figures; where it does not fit, why
};

// As canary.stages, or one for a plain percent; empty where the candidate has no quota.
std::vector<StageVolume> stages_against_quota(const routing::RouteConfig& route,
                                              const std::optional<VolumePeak>& peak,
                                              const QuotaReading& read = {});

// As canary.stages: why a stage must not begin, or nothing.
std::vector<std::string> refused_stages(const routing::RouteConfig& route,
                                        const std::optional<VolumePeak>& peak,
                                        const QuotaReading& read = {});
// The same of the route of that name; nothing where there is none.
std::vector<std::string> refused_stages(const routing::Config& config, std::string_view route,
                                        const VolumeSource& volumes, const QuotaSource& quotas);

// The `volume` object of a route; null where its candidate has no quota.
nlohmann::json describe_volume(const routing::RouteConfig& route,
                               const std::optional<VolumePeak>& peak,
                               const QuotaReading& read = {});

// understudy_volume_peak, understudy_volume_quota and understudy_volume_stage_fits, of routes whose
// candidate has a quota, in the exposition's text format. Without `quotas` none was read.
std::string volume_exposition(const routing::Config& config, const VolumeSource& volumes,
                              const QuotaSource& quotas = {});

}  // namespace understudy::proxy
