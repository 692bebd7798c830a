#pragma once
// A route's measured peak, at each stage of its rollout, against the candidate's quota: what the
// rollout's gate says, JSON, and metrics. Pure functions of what is handed in; any thread.

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

// What would be asked of the candidate in a minute, served and copies together.
struct StageVolume {
  routing::Percent percent;
  VolumePeak asked;
  bool fits = true;
  std::string text;  // a clause with the figures; where it does not fit, why
};

// As canary.stages, or one for a plain percent; empty where the candidate has no quota.
std::vector<StageVolume> stages_against_quota(const routing::RouteConfig& route,
                                              const std::optional<VolumePeak>& peak);

// As canary.stages: why a stage must not begin, or nothing.
std::vector<std::string> refused_stages(const routing::RouteConfig& route,
                                        const std::optional<VolumePeak>& peak);

// The `volume` object of a route; null where its candidate has no quota.
nlohmann::json describe_volume(const routing::RouteConfig& route,
                               const std::optional<VolumePeak>& peak);

// understudy_volume_peak, understudy_volume_quota and understudy_volume_stage_fits, of routes whose
// candidate has a quota, in the exposition's text format.
std::string volume_exposition(const routing::Config& config, const VolumeSource& volumes);

}  // namespace understudy::proxy
