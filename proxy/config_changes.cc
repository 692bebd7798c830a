#include "proxy/config_changes.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string_view>

namespace understudy::proxy {
namespace {

using Changes = std::vector<std::string>;

template <typename Value>
void compare(Changes& changes, std::string_view key, const Value& before, const Value& after) {
  if (before != after) changes.emplace_back(key);
}

void compare(Changes& changes, const std::string& key, routing::Percent before,
             routing::Percent after) {
  if (before != after)
    changes.push_back(key + " " + percent_text(before) + " -> " + percent_text(after));
}

template <typename Named>
const Named* find_named(const std::vector<Named>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Named& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

template <typename Named>
bool same_order(const std::vector<Named>& before, const std::vector<Named>& after) {
  return std::equal(before.begin(), before.end(), after.begin(), after.end(),
                    [](const Named& a, const Named& b) { return a.name == b.name; });
}

// Reports who came and went, and calls `compare_both` for who stayed.
template <typename Named, typename Function>
void compare_named(Changes& changes, const std::string& list, const std::vector<Named>& before,
                   const std::vector<Named>& after, Function compare_both) {
  const std::size_t changes_before = changes.size();
  for (const Named& old : before) {
    if (!find_named(after, old.name)) changes.push_back(list + "." + old.name + " removed");
  }
  for (const Named& now : after) {
    if (!find_named(before, now.name)) changes.push_back(list + "." + now.name + " added");
  }
  const bool same_members = changes.size() == changes_before;
  for (const Named& now : after) {
    if (const Named* old = find_named(before, now.name))
      compare_both(list + "." + now.name, *old, now);
  }
  if (same_members && !same_order(before, after)) changes.push_back(list + " order");
}

void compare_upstream(Changes& changes, const std::string& key,
                      const routing::UpstreamConfig& before, const routing::UpstreamConfig& after) {
  compare(changes, key + ".endpoint", before.endpoint, after.endpoint);
  compare(changes, key + ".control_endpoint", before.control_endpoint, after.control_endpoint);
  compare(changes, key + ".region", before.region, after.region);
  compare(changes, key + ".ca_file", before.ca_file, after.ca_file);
  compare(changes, key + ".credentials", before.credentials, after.credentials);
  compare(changes, key + ".connect_timeout", before.connect_timeout, after.connect_timeout);
  compare(changes, key + ".first_byte_timeout", before.first_byte_timeout,
          after.first_byte_timeout);
  compare(changes, key + ".stream_idle_timeout", before.stream_idle_timeout,
          after.stream_idle_timeout);
  compare(changes, key + ".pool_idle_timeout", before.pool_idle_timeout, after.pool_idle_timeout);
  compare(changes, key + ".max_idle_connections", before.max_idle_connections,
          after.max_idle_connections);
  compare(changes, key + ".dns_refresh", before.dns_refresh, after.dns_refresh);
  compare(changes, key + ".dns_keep", before.dns_keep, after.dns_keep);
}

// A variant with its upstream by name: indices change when the list does.
struct NamedVariant {
  std::string upstream;
  std::string model;
  std::vector<routing::RewriteRule> rewrite;
  routing::QuotaConfig quota;
  friend bool operator==(const NamedVariant&, const NamedVariant&) = default;
};

NamedVariant named(const routing::Config& config, const routing::VariantConfig& variant) {
  return {config.upstreams.at(variant.upstream).name, variant.model, variant.rewrite,
          variant.quota};
}

std::optional<NamedVariant> named(const routing::Config& config,
                                  const std::optional<routing::VariantConfig>& variant) {
  if (!variant) return std::nullopt;
  return named(config, *variant);
}

void compare_shadow(Changes& changes, const std::string& key, routing::ShadowConfig before,
                    routing::ShadowConfig after) {
  compare(changes, key + ".percent", before.percent, after.percent);
  compare(changes, key + ".control_percent", before.control, after.control);
  compare(changes, key + ".budget", before.budget, after.budget);
  compare(changes, key + ".breaker", before.breaker, after.breaker);
  compare(changes, key + ".skip_probes", before.skip_probes, after.skip_probes);
  before.percent = after.percent;
  before.control = after.control;
  before.budget = after.budget;
  before.breaker = after.breaker;
  before.skip_probes = after.skip_probes;
  compare(changes, key + " limits", before, after);
}

std::optional<std::string> default_upstream_name(const routing::Config& config) {
  if (!config.default_upstream) return std::nullopt;
  return config.upstreams.at(*config.default_upstream).name;
}

}  // namespace

std::string percent_text(routing::Percent percent) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%u.%02u", percent.hundredths / 100,
                percent.hundredths % 100);
  std::string result = text.data();
  result.erase(result.find_last_not_of('0') + 1);
  if (result.ends_with('.')) result.pop_back();
  return result;
}

std::vector<std::string> changes_between(const routing::Config& before,
                                         const routing::Config& after) {
  Changes changes;
  compare(changes, "listeners", before.listeners, after.listeners);
  compare(changes, "admin", before.admin, after.admin);
  compare_named(changes, "upstreams", before.upstreams, after.upstreams,
                [&](const std::string& key, const auto& old, const auto& now) {
                  compare_upstream(changes, key, old, now);
                });
  compare_named(
      changes, "routes", before.routes, after.routes,
      [&](const std::string& key, const routing::RouteConfig& old,
          const routing::RouteConfig& now) {
        compare(changes, key + ".match.models", old.match.models, now.match.models);
        compare(changes, key + ".match.operations", old.match.operations, now.match.operations);
        compare(changes, key + ".match.headers", old.match.headers, now.match.headers);
        compare(changes, key + ".match.callers", old.match.callers, now.match.callers);
        compare(changes, key + ".primary", named(before, old.primary), named(after, now.primary));
        compare(changes, key + ".candidate", named(before, old.candidate),
                named(after, now.candidate));
        compare_shadow(changes, key + ".shadow", old.shadow, now.shadow);
        compare(changes, key + ".canary.percent", old.canary.percent, now.canary.percent);
        compare(changes, key + ".canary.sticky_by", old.canary.sticky_by, now.canary.sticky_by);
        compare(changes, key + ".canary.stages", old.canary.stages, now.canary.stages);
        compare(changes, key + ".canary.watch", old.canary.watch, now.canary.watch);
        compare(changes, key + ".canary.gates", old.canary.gates, now.canary.gates);
        compare(changes, key + ".canary.fallback", old.canary.fallback, now.canary.fallback);
        compare(changes, key + ".on_end_of_life", old.on_end_of_life, now.on_end_of_life);
        compare(changes, key + ".keep_warm.every", old.keep_warm, now.keep_warm);
        compare(changes, key + ".drill.percent", old.drill, now.drill);
        compare(changes, key + ".verdict", old.verdict, now.verdict);
      });
  compare(changes, "default_route", default_upstream_name(before), default_upstream_name(after));
  compare(changes, "records", before.records, after.records);
  compare(changes, "events", before.events, after.events);
  compare(changes, "state.directory", before.state_directory, after.state_directory);
  compare(changes, "lifecycle", before.lifecycle, after.lifecycle);
  compare(changes, "prices_file", before.prices_file, after.prices_file);
  compare(changes, "quotas_file", before.quotas_file, after.quotas_file);
  compare(changes, "limits", before.limits, after.limits);
  compare(changes, "threads", before.threads, after.threads);
  compare(changes, "drain", before.drain, after.drain);
  compare(changes, "log", before.log, after.log);
  compare(changes, "sampling_salt", before.sampling_salt, after.sampling_salt);
  return changes;
}

}  // namespace understudy::proxy
