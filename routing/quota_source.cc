#include "routing/quota_source.h"

#include <algorithm>

#include "routing/config_values.h"

namespace understudy::routing {

std::optional<ServiceQuotaSource> service_quota_source(const Config& config,
                                                       std::string_view route) {
  const std::string path = "routes[" + std::string(route) + "].candidate.quota.";
  const auto value = [&](std::string_view key) -> std::string_view {
    const auto found = std::ranges::find(config.settings, path + std::string(key), &Setting::key);
    return found == config.settings.end() ? std::string_view{} : std::string_view{found->value};
  };
  if (value("from") != "service_quotas") return std::nullopt;
  ServiceQuotaSource source;
  source.part = parse_percent(value("part")).value.value_or(source.part);
  source.every = parse_duration(value("every")).value.value_or(source.every);
  source.name = value("name");
  return source;
}

}  // namespace understudy::routing
