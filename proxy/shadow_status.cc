#include "proxy/shadow_status.h"

#include <array>
#include <nlohmann/json.hpp>

namespace understudy::proxy {
namespace {

using nlohmann::json;

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

struct Series {
  std::string_view name, help, type;
  std::string (*value)(const ShadowAccount& account, SteadyTime now);
};

constexpr std::array kSeries{
    Series{"understudy_shadow_suspended",
           "1 while no copies are sent because the served variant was throttled.", "gauge",
           [](const ShadowAccount& account, SteadyTime now) {
             return std::string(account.suspended(now) ? "1" : "0");
           }},
    Series{"understudy_shadow_suspensions_total", "How often that began.", "counter",
           [](const ShadowAccount& account, SteadyTime) {
             return std::to_string(account.suspensions());
           }},
    Series{"understudy_shadow_budget_spent_usd",
           "Estimated cost of shadow and control legs today (UTC).", "gauge",
           [](const ShadowAccount& account, SteadyTime) {
             return json(account.spent_today()).dump();
           }},
    Series{"understudy_shadow_budget_tokens",
           "Tokens of the last 60 seconds that count against shadow.budget.tokens_per_minute.",
           "gauge",
           [](const ShadowAccount& account, SteadyTime now) {
             return std::to_string(account.tokens_of_last_minute(now));
           }},
    Series{"understudy_shadow_settled_families",
           "Families that are copied less because their gates have the evidence they need.",
           "gauge",
           [](const ShadowAccount& account, SteadyTime) {
             return std::to_string(account.settled().size());
           }},
};

}  // namespace

json describe_shadow_use(const routing::ShadowConfig& config, const ShadowAccount* account,
                         SteadyTime now) {
  static const ShadowAccount unused;
  const ShadowAccount& used = account != nullptr ? *account : unused;
  return {{"suspended", used.suspended(now)},
          {"suspended_for_seconds", seconds(used.suspension_left(now))},
          {"suspensions", used.suspensions()},
          {"breaker_open", used.breaker.open()},
          {"spent_usd_today", used.spent_today()},
          {"usd_per_day", or_null(config.budget.usd_per_day)},
          {"requests_per_minute", or_null(config.budget.requests_per_minute)},
          {"tokens_last_minute", used.tokens_of_last_minute(now)},
          {"tokens_per_minute", or_null(config.budget.tokens_per_minute)},
          {"settled_percent", config.settled.value()},
          {"settled_families", used.settled()}};
}

std::string shadow_use_exposition(const routing::Config& config, const ShadowSource& accounts,
                                  SteadyTime now) {
  std::string text;
  for (const Series& series : kSeries) {
    text.append("# HELP ").append(series.name).append(" ").append(series.help).append("\n# TYPE ");
    text.append(series.name).append(" ").append(series.type).append("\n");
    for (const routing::RouteConfig& route : config.routes) {
      const auto account = route.candidate ? accounts(route.name) : nullptr;
      if (!account) continue;
      text.append(series.name).append("{route=\"").append(route.name).append("\"} ");
      text.append(series.value(*account, now)).append("\n");
    }
  }
  return text;
}

}  // namespace understudy::proxy
