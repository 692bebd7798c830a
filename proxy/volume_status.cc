#include "proxy/volume_status.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace understudy::proxy {
namespace {

using nlohmann::json;
using routing::Percent;
using Limit = std::optional<std::uint64_t>;

// `auto` settles there (ShadowDispatcher).
constexpr double kAutomaticControl = 0.02;

// Shares of a route's requests that reach the candidate while it serves `percent` of them: those
// that it serves, and the copies. While the primary serves, a copy goes to the candidate; while the
// candidate does, only a control leg.
struct Shares {
  double served = 0.0;
  double copies = 0.0;
};

Shares shares_at(const routing::ShadowConfig& shadow, Percent percent) {
  const double served = percent.fraction();
  const double control =
      shadow.control.automatic ? kAutomaticControl : shadow.control.percent.fraction();
  const double copied = shadow.percent.fraction();
  return {.served = served, .copies = copied * (1.0 - served + served * control)};
}

std::uint64_t asked(std::uint64_t peak, const Shares& shares, const Limit& copies_budget) {
  const auto whole = static_cast<double>(peak);
  const double most =
      copies_budget ? static_cast<double>(*copies_budget) : std::numeric_limits<double>::infinity();
  return static_cast<std::uint64_t>(
      std::ceil(whole * shares.served + std::min(whole * shares.copies, most) - 1e-9));
}

bool within(std::uint64_t amount, const Limit& quota) {
  return !quota || amount <= *quota;
}

// What the config gives holds, and where it says so, what was read.
struct Quota {
  Limit requests_per_minute, tokens_per_minute;
  std::string unknown{};  // why it is not known
};

// The smaller of what the config gives and what was read; none where neither limits.
Limit smaller(const Limit& given, const Limit& read) {
  if (!given || !read) return given ? given : read;
  return std::min(*given, *read);
}

// What neither the config gives nor the reading found, in plain words.
std::string unknown_figures(const Quota& quota, const std::string& problem) {
  const bool requests = !quota.requests_per_minute, tokens = !quota.tokens_per_minute;
  if (!requests && !tokens) return {};
  const std::string names = std::string(requests ? "requests" : "") +
                            (requests && tokens ? " and " : "") + (tokens ? "tokens" : "");
  const std::string key = requests ? "requests_per_minute" : "tokens_per_minute";
  return "Service Quotas do not tell its " + names + " a minute: " +
         (problem.empty() ? "say quota." + key + " beside `from: service_quotas`" : problem);
}

Quota quota_in_force(const routing::QuotaConfig& config, const QuotaReading& read) {
  if (!read.asked) {
    return {.requests_per_minute = config.requests_per_minute,
            .tokens_per_minute = config.tokens_per_minute};
  }
  Quota quota{.requests_per_minute = smaller(config.requests_per_minute, read.requests_per_minute),
              .tokens_per_minute = smaller(config.tokens_per_minute, read.tokens_per_minute)};
  quota.unknown = unknown_figures(quota, read.problem);
  return quota;
}

std::string amounts(const VolumePeak& volume, const Quota& quota) {
  std::string text;
  if (quota.requests_per_minute) text = std::to_string(volume.requests) + " requests";
  if (quota.tokens_per_minute)
    text += (text.empty() ? "" : " and ") + std::to_string(volume.tokens) + " tokens";
  return text;
}

std::string quota_text(const Quota& quota) {
  return amounts({.requests = quota.requests_per_minute.value_or(0),
                  .tokens = quota.tokens_per_minute.value_or(0)},
                 quota);
}

StageVolume not_judged(Percent percent, const std::string& why) {
  return {.percent = percent,
          .asked = {},
          .fits = false,
          .text = "cannot be held against the candidate's quota: " + why};
}

StageVolume stage_volume(const routing::RouteConfig& route, const Quota& quota, Percent percent,
                         const VolumePeak& peak) {
  const routing::ShadowBudget& budget = route.shadow.budget;
  const Shares shares = shares_at(route.shadow, percent);
  StageVolume stage{.percent = percent,
                    .asked = {.requests = asked(peak.requests, shares, budget.requests_per_minute),
                              .tokens = asked(peak.tokens, shares, budget.tokens_per_minute)},
                    .fits = true,
                    .text = {}};
  stage.fits = within(stage.asked.requests, quota.requests_per_minute) &&
               within(stage.asked.tokens, quota.tokens_per_minute);
  stage.text = std::string(stage.fits ? "fits" : "does not fit") + ": " + percent_text(percent) +
               " % would ask up to " + amounts(stage.asked, quota) +
               " a minute of the candidate, with the copies; its quota is " + quota_text(quota);
  return stage;
}

json or_null(const Limit& value) {
  return value ? json(*value) : json();
}

json describe(const VolumePeak& volume) {
  return {{"requests_per_minute", volume.requests}, {"tokens_per_minute", volume.tokens}};
}

json describe(const StageVolume& stage) {
  json described = describe(stage.asked);
  described["percent"] = stage.percent.value();
  described["fits"] = stage.fits;
  described["text"] = stage.text;
  return described;
}

json describe_quota(const Quota& quota, const QuotaReading& read) {
  json described = {{"requests_per_minute", or_null(quota.requests_per_minute)},
                    {"tokens_per_minute", or_null(quota.tokens_per_minute)},
                    {"from", read.asked ? "service_quotas" : "config"}};
  if (!read.asked) return described;
  using std::chrono::floor;
  using std::chrono::seconds;
  described["read_unix_seconds"] =
      read.read ? json(floor<seconds>(*read.read).time_since_epoch().count()) : json();
  const std::string& problem = read.problem.empty() ? quota.unknown : read.problem;
  described["problem"] = problem.empty() ? json() : json(problem);
  return described;
}

bool has_quota(const routing::RouteConfig& route) {
  return route.candidate && route.candidate->quota.limits();
}

void append(std::string& text, std::string_view name, std::string_view route,
            const std::string& label, std::string_view value) {
  text.append(name).append("{route=\"").append(route).append("\",").append(label).append("} ");
  text.append(value).append("\n");
}

}  // namespace

std::vector<StageVolume> stages_against_quota(const routing::RouteConfig& route,
                                              const std::optional<VolumePeak>& peak,
                                              const QuotaReading& read) {
  if (!has_quota(route)) return {};
  const Quota quota = quota_in_force(route.candidate->quota, read);
  const std::string unknown = !quota.unknown.empty() ? quota.unknown
                              : !peak ? "no request of the last seven days was measured"
                                      : "";
  std::vector<Percent> percents;
  for (const routing::RolloutStage& stage : route.canary.stages) percents.push_back(stage.percent);
  if (percents.empty()) percents.push_back(route.canary.percent);
  std::vector<StageVolume> stages;
  for (const Percent percent : percents)
    stages.push_back(unknown.empty() ? stage_volume(route, quota, percent, *peak)
                                     : not_judged(percent, unknown));
  return stages;
}

std::vector<std::string> refused_stages(const routing::RouteConfig& route,
                                        const std::optional<VolumePeak>& peak,
                                        const QuotaReading& read) {
  std::vector<std::string> refusals;
  for (const StageVolume& stage : stages_against_quota(route, peak, read))
    refusals.push_back(stage.fits ? std::string() : stage.text);
  return refusals;
}

std::vector<std::string> refused_stages(const routing::Config& config, std::string_view name,
                                        const VolumeSource& volumes, const QuotaSource& quotas) {
  const auto route = std::ranges::find(config.routes, name, &routing::RouteConfig::name);
  if (route == config.routes.end()) return {};
  return refused_stages(*route, volumes(name), quotas ? quotas(config, *route) : QuotaReading{});
}

json describe_volume(const routing::RouteConfig& route, const std::optional<VolumePeak>& peak,
                     const QuotaReading& read) {
  if (!has_quota(route)) return nullptr;
  json stages = json::array();
  for (const StageVolume& stage : stages_against_quota(route, peak, read))
    stages.push_back(describe(stage));
  return {{"peak", peak ? describe(*peak) : json()},
          {"quota", describe_quota(quota_in_force(route.candidate->quota, read), read)},
          {"stages", std::move(stages)}};
}

std::string volume_exposition(const routing::Config& config, const VolumeSource& volumes,
                              const QuotaSource& quota_source) {
  constexpr std::string_view kPeak = "understudy_volume_peak";
  constexpr std::string_view kQuota = "understudy_volume_quota";
  constexpr std::string_view kFits = "understudy_volume_stage_fits";
  std::string peaks =
      "# HELP understudy_volume_peak The most that a route was asked in 60 seconds of the last "
      "seven days, tokens as the candidate's quota counts them.\n"
      "# TYPE understudy_volume_peak gauge\n";
  std::string quotas =
      "# HELP understudy_volume_quota What the candidate's quota allows in a minute.\n"
      "# TYPE understudy_volume_quota gauge\n";
  std::string fits =
      "# HELP understudy_volume_stage_fits Whether the peak fits the quota at that canary "
      "percent.\n# TYPE understudy_volume_stage_fits gauge\n";
  const std::string requests = "unit=\"requests\"", tokens = "unit=\"tokens\"";
  for (const routing::RouteConfig& route : config.routes) {
    if (!has_quota(route)) continue;
    const QuotaReading read = quota_source ? quota_source(config, route) : QuotaReading{};
    const Quota quota = quota_in_force(route.candidate->quota, read);
    const auto peak = volumes(route.name);
    if (peak) append(peaks, kPeak, route.name, requests, std::to_string(peak->requests));
    if (peak) append(peaks, kPeak, route.name, tokens, std::to_string(peak->tokens));
    if (quota.requests_per_minute)
      append(quotas, kQuota, route.name, requests, std::to_string(*quota.requests_per_minute));
    if (quota.tokens_per_minute)
      append(quotas, kQuota, route.name, tokens, std::to_string(*quota.tokens_per_minute));
    for (const StageVolume& stage : stages_against_quota(route, peak, read))
      append(fits, kFits, route.name, "percent=\"" + percent_text(stage.percent) + "\"",
             stage.fits ? "1" : "0");
  }
  return peaks + quotas + fits;
}

}  // namespace understudy::proxy
