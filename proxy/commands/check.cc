#include <algorithm>
#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "metrics/recorder.h"
#include "proxy/aws/keeper.h"
#include "proxy/aws/plan.h"
#include "proxy/commands/address_url.h"
#include "proxy/commands/admin_client.h"
#include "proxy/commands/check_against.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/preflight.h"
#include "proxy/commands/text_table.h"
#include "proxy/lifecycle_report.h"
#include "proxy/snapshot.h"
#include "proxy/unusable_places.h"
#include "routing/config_loader.h"
#include "routing/config_values.h"
#include "routing/day.h"

namespace understudy::proxy {
namespace {

using routing::Config;
using routing::ConfigProblem;

// What the files that a config names add to its problems.
template <typename Loaded>
std::vector<ConfigProblem> problems_of(const Loaded& loaded, const std::string& file) {
  std::vector<ConfigProblem> problems;
  for (const std::string& what : loaded.problems)
    problems.push_back(
        {.file = file, .line = 0, .column = 0, .key = "", .what = what, .warning = false});
  for (const std::string& what : loaded.warnings)
    problems.push_back(
        {.file = file, .line = 0, .column = 0, .key = "", .what = what, .warning = true});
  return problems;
}

// As the loaders of those files tell theirs.
struct Warnings {
  std::vector<std::string> problems;
  std::vector<std::string> warnings;
};

std::string joined(const std::vector<std::string>& parts, std::string_view when_empty) {
  if (parts.empty()) return std::string(when_empty);
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "" : ", ").append(part);
  return text;
}

// A setting as the file spells it.
std::string written(const Config& config, std::string_view key) {
  const auto found =
      std::ranges::find(config.settings, key, [](const auto& setting) { return setting.key; });
  return found == config.settings.end() ? std::string() : found->value;
}

std::string matches_of(const Config& config, const routing::RouteConfig& route) {
  const routing::MatchConfig& match = route.match;
  std::string text = joined(match.models, match.paths.empty() ? "any model" : "");
  const auto add = [&text](const std::string& more) {
    text.append(text.empty() ? "" : "; ").append(more);
  };
  if (!match.operations.empty())
    add(written(config, "routes[" + route.name + "].match.operations"));
  if (!match.paths.empty()) add("paths " + joined(match.paths, ""));
  if (!match.callers.empty()) add("callers " + joined(match.callers, ""));
  for (const routing::HeaderMatch& header : match.headers) add(header.name + ": " + header.value);
  return text;
}

std::string variant_of(const Config& config, const routing::VariantConfig& variant) {
  std::string text = (variant.model.empty() ? "as asked" : variant.model) + " @ " +
                     config.upstreams.at(variant.upstream).name;
  if (!variant.rewrite.empty())
    text += " (" + std::to_string(variant.rewrite.size()) + " rewrite rules)";
  return text;
}

std::string percent(routing::Percent share) {
  return percent_text(share) + " %";
}

std::string canary_of(const routing::CanaryConfig& canary) {
  if (canary.stages.empty()) return percent(canary.percent);
  std::string text = "stages";
  for (const routing::RolloutStage& stage : canary.stages)
    text += (text == "stages" ? " " : ", ") + percent_text(stage.percent);
  return text + " %";
}

TableRow describe(const Config& config, const routing::RouteConfig& route) {
  if (!route.candidate)
    return {
        route.name, matches_of(config, route), variant_of(config, route.primary), "none", "-", "-",
        "-"};
  return {route.name,
          matches_of(config, route),
          variant_of(config, route.primary),
          variant_of(config, *route.candidate),
          percent(route.shadow.percent),
          route.shadow.control.automatic ? "auto" : percent(route.shadow.control.percent),
          canary_of(route.canary)};
}

// Who answers where the served variant cannot.
void print_stand_ins(const routing::RouteConfig& route, std::ostream& out) {
  if (!route.candidate) return;
  const bool takes_over = route.on_end_of_life == routing::EndOfLifeAction::serve_candidate;
  out << route.name << ": fallback " << (route.canary.fallback ? "on" : "off")
      << ", at the primary's end of life " << (takes_over ? "serve_candidate" : "alarm")
      << ", drill " << percent(route.drill) << ", keep_warm "
      << (route.keep_warm.count() > 0 ? routing::duration_text(route.keep_warm) : "never") << "\n";
}

// What the rollout's volume is held against.
void print_quota(const routing::RouteConfig& route, std::ostream& out) {
  if (!route.candidate || !route.candidate->quota.limits()) return;
  const routing::QuotaConfig& quota = route.candidate->quota;
  std::vector<std::string> parts;
  if (quota.requests_per_minute)
    parts.push_back(std::to_string(*quota.requests_per_minute) + " requests a minute");
  if (quota.tokens_per_minute)
    parts.push_back(std::to_string(*quota.tokens_per_minute) + " tokens a minute");
  if (const auto& source = quota.service_quotas) {
    const std::string part =
        source->part == routing::kAllTraffic ? "" : percent(source->part) + " of ";
    parts.push_back(part + "what Service Quotas say (asked every " +
                    routing::duration_text(source->every) + ")");
  }
  out << route.name << ": the candidate's quota is " << joined(parts, "")
      << "; a stage that would ask more is not begun\n";
}

void print_effective(const Config& config, std::ostream& out) {
  for (const routing::ListenerConfig& listener : config.listeners) {
    out << "listens on  "
        << url_of(listener.address, listener.address.port, listener.tls.has_value())
        << listener.base_path << "\n";
  }
  const routing::AdminConfig& admin = config.admin;
  out << "admin on    " << url_of(admin.address, admin.address.port, admin.tls.has_value()) << "\n";
  if (admin.read_only)
    out << "read-only   " << url_of(admin.read_only->address, admin.read_only->address.port, false)
        << " (/metrics, /healthz and /readyz, for anyone)\n";
  out << "\n";
  std::vector<TableRow> rows{
      {"ROUTE", "MATCHES", "PRIMARY", "CANDIDATE", "SHADOW", "CONTROL", "CANARY"}};
  for (const routing::RouteConfig& route : config.routes) rows.push_back(describe(config, route));
  if (config.default_upstream) {
    rows.push_back({"(default)", "everything else",
                    "as asked @ " + config.upstreams.at(*config.default_upstream).name, "none", "-",
                    "-", "-"});
  } else {
    rows.push_back({"(none)", "everything else", "refused with 404", "none", "-", "-", "-"});
  }
  print_table(rows, out);
  out << "\nThe first route that matches decides.\n";
  for (const routing::RouteConfig& route : config.routes) {
    print_stand_ins(route, out);
    print_quota(route, out);
  }
}

// Where each upstream's credentials would come from on this machine, in this environment. False
// where `serve` would not start by that.
bool print_credentials(const Config& config, std::ostream& out) {
  bool all = true;
  out << "\n";
  for (const routing::UpstreamConfig& upstream : config.upstreams) {
    const auto plan =
        aws::plan_credentials(upstream.credentials, upstream.region, process_environment());
    out << "credentials of " << upstream.name << ": "
        << (plan ? plan->origin : "none here: " + plan.error().context) << "\n";
    all = all && plan;
  }
  return all;
}

// Asks each variant; the credentials are fetched for it.
int preflight(const std::shared_ptr<const Config>& config, const std::string& file,
              std::ostream& out, std::ostream& err) {
  constexpr std::chrono::seconds kCredentialsWait(10);
  const auto recorder = metrics::make_prometheus_recorder();
  aws::CredentialsKeeper keeper(*recorder);
  const SnapshotResult made = make_snapshot(config, *recorder, keeper, process_environment());
  for (const std::string& problem : made.problems) err << file << ": " << problem << "\n";
  if (!made.snapshot) return kExitBadConfig;
  for (const auto& upstream : made.snapshot->upstreams)
    keeper.wait_for_first(*upstream->credentials->slot, kCredentialsWait);
  out << "\n";
  return run_preflight(made.snapshot, out) ? kExitGood : kExitNegative;
}

int check(const Options& options, std::ostream& out, std::ostream& err) {
  const std::string& file = options.values.at("config");
  routing::LoadedConfig loaded = routing::load_config_file(file);
  if (loaded.config) {
    const auto add = [&](const auto& part) {
      for (ConfigProblem& problem : problems_of(part, file))
        loaded.problems.push_back(std::move(problem));
    };
    add(load_anchors(*loaded.config));
    add(load_listeners(*loaded.config));
    add(load_prices(*loaded.config));
    add(load_lifecycles(*loaded.config, routing::today()));
    add(Warnings{.problems = {}, .warnings = unusable_places(*loaded.config)});
  }
  for (const ConfigProblem& problem : loaded.problems) err << problem.to_string() << "\n";
  const auto errors = std::count_if(loaded.problems.begin(), loaded.problems.end(),
                                    [](const ConfigProblem& problem) { return !problem.warning; });
  if (!loaded.config || errors > 0) {
    err << file << ": " << errors << (errors == 1 ? " problem" : " problems")
        << "; this config would not take effect\n";
    return kExitBadConfig;
  }
  print_effective(*loaded.config, out);
  const bool has_credentials = print_credentials(*loaded.config, out);
  if (!has_credentials && options.values.contains("here")) {
    err << file << ": credentials are missing here; `serve` would not start\n";
    return kExitBadConfig;
  }
  const int compared = options.values.contains("against")
                           ? compare_with_running(*loaded.config, options, out, err)
                           : kExitGood;
  if (!options.values.contains("preflight") || compared == kExitNotKnown) return compared;
  return std::max(compared, preflight(loaded.config, file, out, err));
}

}  // namespace

Command check_command() {
  return {
      .name = "check",
      .summary = "validate a config and print the routes that follow from it",
      .description =
          "Reads a config as `serve` would and tells every problem at once: of the file as "
          "file:line:column: key: what, of the\n"
          "files that it names (prices, certificates, keys, dates) as file: key: what. Warnings do "
          "not keep a config from\n"
          "taking effect. It also tells where each upstream's credentials would come from in this "
          "environment. Nothing is\n"
          "contacted, so a config can be checked on any machine: credentials that are missing are "
          "no problem of the config,\n"
          "but with --here, which asks whether `serve` would start by it on this machine, as this "
          "user, with these variables.\n"
          "Exit status 0: it would take effect; 78: it would not.\n\n"
          "With --preflight every variant gets one tiny request of each shape, which costs a few "
          "tokens; 1: a candidate\n"
          "refuses what its primary takes, or somebody does not answer. With --against it tells "
          "what would change of the\n"
          "config that a running proxy has in force, or of another file; 1: one of the changes "
          "needs a restart; 3: the\n"
          "other one cannot be read.",
      .example = "  understudy check --config config.yaml && systemctl reload understudy",
      .options = with_access_options(
          {{.name = "config",
            .value = "FILE",
            .help = "the YAML config to check",
            .required = true},
           {.name = "here",
            .value = "",
            .help = "78 also where credentials without which `serve` does not start are "
                    "missing here"},
           {.name = "preflight",
            .value = "",
            .help = "ask every variant, and explain each refusal"},
           {.name = "against",
            .value = "URL|FILE",
            .help = "admin port of a running proxy, or a config: tell what would change"}}),
      .run = check};
}

}  // namespace understudy::proxy
