// `understudy verdict`: what the evidence allows, for people and for pipelines.

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "metrics/evidence/evidence_json.h"
#include "metrics/verdict_text.h"
#include "proxy/commands/admin_client.h"
#include "proxy/commands/commands.h"
#include "proxy/evidence_status.h"
#include "proxy/route_parameters.h"
#include "proxy/verdict_status.h"
#include "routing/config_loader.h"
#include "routing/experiment.h"

namespace understudy::proxy {
namespace {

using metrics::RouteEvidence;
using nlohmann::json;

constexpr int kMaxDepth = 32;

std::vector<std::string> listed(const Options& options, std::string_view name) {
  std::vector<std::string> items;
  const auto found = options.values.find(name);
  if (found == options.values.end()) return items;
  std::string_view rest = found->second;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    if (comma > 0) items.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return items;
}

Error bad_answer(const std::string& url, std::string_view what) {
  return {ErrorKind::bad_message, Side::upstream, url + ": " + std::string(what)};
}

Result<std::vector<json>> routes_of(const Options& options, const std::string& url) {
  const auto body = get_from_admin(options, url, "/api/routes");
  if (!body) return body.error();
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
  const json answer = json::parse(*body, shallow, false);
  if (answer.is_discarded() || !answer.contains("routes") || !answer["routes"].is_array())
    return bad_answer(url, "what it answers is no list of routes");
  return answer["routes"].get<std::vector<json>>();
}

// A route without a candidate has nothing to be judged.
bool is_judged(const json& route) {
  return !route.contains("candidate") || !route["candidate"].is_null();
}

// --- The evidence of several proxies, judged as one

// What they tell of one route together. Files tell evidence alone.
struct RouteOfAll {
  std::optional<RouteEvidence> evidence;
  metrics::RouteCounts counts;
};
using Routes = std::map<std::string, RouteOfAll>;

struct Gathered {
  const routing::Config& config;  // whose rules and experiments hold
  Routes routes{};
};

const routing::RouteConfig* route_called(const routing::Config& config, const std::string& name) {
  const auto found = std::ranges::find(config.routes, name, &routing::RouteConfig::name);
  return found == config.routes.end() ? nullptr : &*found;
}

Status add_evidence(Gathered& all, const std::string& route, const std::string& from,
                    std::string_view text) {
  const routing::RouteConfig* const rules = route_called(all.config, route);
  if (!rules) return bad_answer(from, "the config has no route " + route + " to judge this by");
  auto read = metrics::evidence_from_json(text);
  if (const auto* problem = std::get_if<metrics::EvidenceProblem>(&read))
    return bad_answer(from, "it is no evidence: " + problem->what);
  RouteEvidence& evidence = std::get<RouteEvidence>(read);
  if (evidence.experiment() != routing::experiment_id(all.config, *rules)) {
    return bad_answer(from, "route " + route +
                                " compares other models, upstreams or rewrites than the config "
                                "does: its evidence cannot be added up");
  }
  auto& known = all.routes[route].evidence;
  if (known) {
    known->merge(evidence);
  } else {
    known = std::move(evidence);
  }
  return {};
}

// What is not there, or no count, is none: the answer may come from another version.
void add_reasons(const json& counts, const char* kind, std::map<std::string, std::uint64_t>& into) {
  const json reasons = counts.value(kind, json::object());
  for (const auto& [reason, count] : reasons.items()) {
    if (count.is_number_unsigned()) into[reason] += count.get<std::uint64_t>();
  }
}

void add_counts(const json& route, metrics::RouteCounts& into) {
  const json counts = route.value("counts", json::object());
  if (!counts.is_object()) return;
  const json eligible = counts.value("eligible", json());
  if (eligible.is_number_unsigned()) into.eligible += eligible.get<std::uint64_t>();
  add_reasons(counts, "skipped", into.skipped);
  add_reasons(counts, "dropped", into.dropped);
}

Status add_proxy(const Options& options, Gathered& all, const std::string& url) {
  const auto routes = routes_of(options, url);
  if (!routes) return routes.error();
  for (const json& route : *routes) {
    if (!is_judged(route)) continue;
    const std::string name = route.value("name", "");
    auto answer = ask_admin(access_to(options, url), "GET", "/api/routes/" + name + "/evidence");
    if (!answer) return answer.error();
    add_counts(route, all.routes[name].counts);
    if (answer->status == 404) continue;  // no pair yet
    if (auto added = add_evidence(all, name, url, answer->body); !added) return added;
  }
  return {};
}

// "state/evidence-sonnet.json" is of the route sonnet.
Status add_file(Gathered& all, const std::string& file) {
  constexpr std::string_view kPrefix = "evidence-";
  std::string name = file.substr(file.rfind('/') + 1);  // npos + 1 is 0
  if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
  name = name.substr(0, name.find(".json"));
  std::ifstream in(file);
  if (!in) return bad_answer(file, "it cannot be read");
  return add_evidence(all, name, file, std::string(std::istreambuf_iterator<char>(in), {}));
}

json judge_one(const routing::Config& config, const routing::RouteConfig& route,
               const RouteOfAll& seen) {
  const RouteEvidence* const evidence = seen.evidence ? &*seen.evidence : nullptr;
  json judged = {{"name", route.name}, {"parameters", describe_parameters(route)}};
  judged.update(describe_variants(config, route));
  const metrics::Verdict verdict = judge_route(route, seen.counts, evidence);
  judged.update(describe_verdict(verdict, evidence, evidence));
  judged["examples"] = describe_examples(evidence, verdict, false);
  return judged;
}

// Every route that compares something, also where nobody has evidence of it yet.
Result<std::vector<json>> judge_together(const Options& options, const routing::Config& config) {
  Gathered all{config};
  for (const std::string& url : listed(options, "admin")) {
    if (auto added = add_proxy(options, all, url); !added) return added.error();
  }
  for (const std::string& file : listed(options, "evidence")) {
    if (auto added = add_file(all, file); !added) return added.error();
  }
  std::vector<json> routes;
  for (const routing::RouteConfig& route : config.routes) {
    if (route.candidate) routes.push_back(judge_one(config, route, all.routes[route.name]));
  }
  return routes;
}

// --- Telling

std::string percent_text(const json& share) {
  if (!share.is_number()) return "-";
  return metrics::text_of_number(share.get<double>() * 100.0) + " %";
}

// The answers may come from another version: what is not there is not told.
std::string text_at(const json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}

void print_line(std::string_view label, const std::string& text, std::ostream& out) {
  constexpr std::size_t kColumn = 10;
  if (text.empty()) return;
  out << "  " << label << std::string(kColumn - std::min(kColumn - 1, label.size()), ' ') << text
      << "\n";
}

void print_reason(const json& reason, std::ostream& out) {
  std::string text = text_at(reason, "text");
  const json interval = reason.value("interval", json());
  if (interval.is_array() && interval.size() == 2) {
    text += " Difference " + percent_text(reason.value("difference", json())) +
            ", with 95 % between " + percent_text(interval[0]) + " and " +
            percent_text(interval[1]) + ".";
  }
  print_line(text_at(reason, "state"), text, out);
}

// Gates of one state, without a pair to say more of, on one line.
void print_names(const std::vector<json>& reasons, std::string_view label, std::ostream& out) {
  std::string names;
  for (const json& reason : reasons) {
    std::string name = text_at(reason, "signal");
    std::ranges::replace(name, '_', ' ');
    names += (names.empty() ? "" : ", ") + name;
  }
  print_line(label, names, out);
}

void print_reasons(const json& reasons, std::ostream& out) {
  std::vector<json> safe, untested, told;
  for (const json& reason : reasons) {
    const std::string state = text_at(reason, "state");
    if (state == "safe") {
      safe.push_back(reason);
    } else if (state == "open" && reason.value("pairs", 0) == 0) {
      untested.push_back(reason);
    } else if (state != "info") {
      print_reason(reason, out);
    } else if (reason.value("pairs", 0) > 0) {
      told.push_back(reason);
    }
  }
  print_names(untested, "no pairs", out);
  print_names(safe, "safe", out);
  for (const json& reason : told) print_reason(reason, out);
}

std::string times_text(const json& times) {
  const auto told = [&times](const char* side) -> std::string {
    const json of = times.value(side, json::object());
    std::string text;
    for (const char* quantile : {"p50", "p95", "p99"}) {
      const json seconds = of.value(quantile, json::object()).value("seconds", json());
      if (!seconds.is_number()) return "";
      text += (text.empty() ? "" : ", ") + std::string(quantile) + " " +
              metrics::text_of_number(seconds.get<double>() * 1000.0) + " ms";
    }
    return text;
  };
  const std::string primary = told("primary"), candidate = told("candidate");
  if (primary.empty() || candidate.empty()) return "";
  return "primary " + primary + "; candidate " + candidate;
}

void print_refusals(const json& errors, std::ostream& out) {
  print_line("refused", text_at(errors, "text"), out);
  const json messages = errors.value("messages", json::array());
  for (std::size_t i = 1; i < messages.size(); ++i) {
    print_line("",
               std::to_string(messages[i].value("count", 0)) + " times \"" +
                   text_at(messages[i], "message") + "\"",
               out);
  }
}

// The stages that the candidate's quota has no room for.
void print_volume(const json& volume, std::ostream& out) {
  if (!volume.is_object()) return;
  for (const json& stage : volume.value("stages", json::array())) {
    if (!stage.value("fits", true)) print_line("volume", text_at(stage, "text"), out);
  }
}

void print_route(const json& route, std::ostream& out) {
  out << route.value("name", "") << ": " << route.value("verdict", "") << "\n  "
      << route.value("verdict_text", "") << "\n";
  for (const json& missing : route.value("missing", json::array()))
    print_line("missing", missing.get<std::string>(), out);
  print_volume(route.value("volume", json()), out);
  print_refusals(route.value("validation_errors", json::object()), out);
  print_reasons(route.value("reasons", json::array()), out);
  print_line("time", times_text(route.value("latency", json::object())), out);
  print_line("cost", text_at(route.value("cost", json::object()), "text"), out);
  for (const json& untested : route.value("untested", json::array())) {
    if (untested.is_string()) print_line("untested", untested.get<std::string>(), out);
  }
  out << "\n";
}

int exit_status(const std::vector<json>& routes) {
  bool all_safe = !routes.empty();
  for (const json& route : routes) {
    const std::string verdict = route.value("verdict", "");
    if (verdict == "fix_first" || verdict == "roll_back") return kExitNegative;
    all_safe = all_safe && verdict == "safe_to_promote";
  }
  return all_safe ? kExitGood : kExitNotKnown;
}

int usage(std::ostream& err, std::string_view what) {
  err << "understudy: verdict: " << what << "\nTry: understudy help verdict\n";
  return kExitUsage;
}

int verdict(const Options& options, std::ostream& out, std::ostream& err) {
  const auto admins = listed(options, "admin");
  const bool together = admins.size() > 1 || options.values.contains("evidence");
  if (admins.empty() && !together) return usage(err, "wants --admin URL or --evidence FILE");
  Result<std::vector<json>> routes = std::vector<json>{};
  if (together) {
    const std::string file = option(options, "config");
    if (file.empty())
      return usage(err, "wants --config FILE with the rules for evidence of several proxies");
    const routing::LoadedConfig loaded = routing::load_config_file(file);
    for (const auto& problem : loaded.problems) err << problem.to_string() << "\n";
    if (!loaded.config) return kExitBadConfig;
    routes = judge_together(options, *loaded.config);
  } else {
    routes = routes_of(options, admins.front());
  }
  if (!routes) {
    err << "understudy: " << routes.error().context << "\n";
    return kExitNotKnown;
  }
  const std::string wanted = option(options, "route");
  std::erase_if(*routes, [&](const json& route) {
    return !is_judged(route) || (!wanted.empty() && route.value("name", "") != wanted);
  });
  if (!wanted.empty() && routes->empty())
    return usage(err, "there is no route with a candidate called " + wanted);
  if (options.values.contains("json")) {
    out << json{{"routes", *routes}}.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
  } else {
    for (const json& route : *routes) print_route(route, out);
  }
  return exit_status(*routes);
}

}  // namespace

Command verdict_command() {
  return {
      .name = "verdict",
      .summary = "tell what the evidence of each route allows",
      .description =
          "Asks a running proxy for its verdicts: safe_to_promote, keep_shadowing (and what is "
          "missing), fix_first (and\n"
          "which families) or roll_back, each with its gates. The evidence of several proxies, or "
          "evidence files from\n"
          "their state directories (evidence-ROUTE.json), is added up and judged as one by the "
          "rules of --config: all its\n"
          "routes with a candidate, or those that --route names. Copies that a proxy dropped "
          "count with its evidence\n"
          "(max_dropped_percent).\n"
          "Exit status 0: every route is safe to promote; 1: one is to be fixed or rolled back; "
          "3: not known yet, or the\n"
          "proxy cannot be asked.",
      .example =
          "  understudy verdict --admin http://127.0.0.1:9901\n"
          "  understudy verdict --admin http://10.0.0.1:9901,http://10.0.0.2:9901 --config "
          "config.yaml --json",
      .options = with_access_options(
          {{.name = "admin", .value = "URL[,URL]", .help = "admin ports of running proxies"},
           {.name = "evidence", .value = "FILE[,FILE]", .help = "evidence files to add"},
           {.name = "config", .value = "FILE", .help = "the rules, where evidence is added up"},
           {.name = "route", .value = "NAME", .help = "only this route"},
           {.name = "json", .value = "", .help = "print JSON: {\"routes\": [...]}"}}),
      .run = verdict};
}

}  // namespace understudy::proxy
