#include <algorithm>
#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "metrics/recorder.h"
#include "proxy/aws/keeper.h"
#include "proxy/aws/plan.h"
#include "proxy/commands/check_against.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/preflight.h"
#include "proxy/commands/text_table.h"
#include "proxy/lifecycle_report.h"
#include "proxy/snapshot.h"
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

std::string joined(const std::vector<std::string>& parts, std::string_view when_empty) {
  if (parts.empty()) return std::string(when_empty);
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "" : ", ").append(part);
  return text;
}

std::string matches_of(const routing::MatchConfig& match) {
  std::string text = joined(match.models, "any model");
  if (!match.operations.empty()) {
    std::vector<std::string> names;
    for (const routing::Operation operation : match.operations)
      names.emplace_back(label(operation));
    text += "; " + joined(names, "");
  }
  if (!match.callers.empty()) text += "; callers " + joined(match.callers, "");
  for (const routing::HeaderMatch& header : match.headers)
    text += "; " + header.name + ": " + header.value;
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
        route.name, matches_of(route.match), variant_of(config, route.primary), "none", "-", "-",
        "-"};
  return {route.name,
          matches_of(route.match),
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
    out << "listens on  " << (listener.tls ? "https://" : "http://") << listener.address.host << ":"
        << listener.address.port << listener.base_path << "\n";
  }
  out << "admin on    http://" << config.admin.address.host << ":" << config.admin.address.port
      << "\n\n";
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

// Where each upstream's credentials would come from on this machine, in this environment.
void print_credentials(const Config& config, std::ostream& out) {
  out << "\n";
  for (const routing::UpstreamConfig& upstream : config.upstreams) {
    const auto plan =
        aws::plan_credentials(upstream.credentials, upstream.region, process_environment());
    out << "credentials of " << upstream.name << ": "
        << (plan ? plan->origin : "none here: " + plan.error().context) << "\n";
  }
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
  print_credentials(*loaded.config, out);
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
          "Reads a config as `serve` would and tells every problem at once, as file:line:column: "
          "key: what. Warnings do\n"
          "not keep a config from taking effect. It also tells where each upstream's credentials "
          "would come from in\n"
          "this environment; that they are missing here is no problem of the config, and nothing "
          "is contacted, so a\n"
          "config can be checked on any machine. Exit status 0: it would take effect; 78: it "
          "would not. With --preflight every variant gets one tiny request of each shape, which "
          "costs a few tokens;\n"
          "1: a candidate refuses what its primary takes, or somebody does not answer. With "
          "--against it tells what would\n"
          "change of the config that a running proxy has in force, or of another file; 1: one of "
          "the "
          "changes needs a\n"
          "restart; 3: the other one cannot be read.",
      .example = "  understudy check --config config.yaml && systemctl reload understudy",
      .options = {{.name = "config",
                   .value = "FILE",
                   .help = "the YAML config to check",
                   .required = true},
                  {.name = "preflight",
                   .value = "",
                   .help = "ask every variant, and explain each refusal"},
                  {.name = "against",
                   .value = "URL|FILE",
                   .help = "admin port of a running proxy, or a config: tell what would change"},
                  {.name = "token-file", .value = "FILE", .help = "the admin port's token"},
                  {.name = "ca", .value = "FILE", .help = "trust anchors for https"}},
      .run = check};
}

}  // namespace understudy::proxy
