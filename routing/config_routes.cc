// The `routes` and `default_route` sections.

#include <algorithm>
#include <array>

#include "routing/compatibility.h"
#include "routing/config_sections.h"
#include "routing/model_id.h"

namespace understudy::routing {
namespace {

Parsed<Operation> parse_operation(std::string_view text) {
  if (const auto operation = operation_from_name(text)) return good(*operation);
  return bad<Operation>(
      "must be Converse, ConverseStream, InvokeModel, InvokeModelWithResponseStream, CountTokens, "
      "Messages, MessagesCountTokens, ChatCompletions, Responses, "
      "InvokeModelWithBidirectionalStream, ApplyGuardrail, InvokeGuardrailChecks, "
      "StartAsyncInvoke, GetAsyncInvoke or ListAsyncInvokes, got " +
      shown(text));
}

// One whose body a rule can change.
Parsed<Operation> parse_rewritten(std::string_view text) {
  const auto operation = parse_operation(text);
  if (operation.value && !is_understood(*operation.value))
    return bad<Operation>(std::string(text) + " is passed on as it is and cannot be rewritten");
  return operation;
}

bool is_model_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-._~:/+@").find(c) != std::string_view::npos;
}

Parsed<std::string> parse_model(std::string_view text) {
  if (text.empty() || text.size() > 2048 || !std::ranges::all_of(text, is_model_byte)) {
    return bad<std::string>("must be a model id or ARN, not percent-encoded, got " + shown(text));
  }
  return good(std::string(text));
}

Parsed<std::string> parse_model_glob(std::string_view text) {
  const bool fit = !text.empty() && text.size() <= 2048 &&
                   std::ranges::all_of(text, [](char c) { return c == '*' || is_model_byte(c); });
  if (!fit) {
    return bad<std::string>(
        "must be a model id in which '*' stands for anything, not percent-encoded, got " +
        shown(text));
  }
  return good(std::string(text));
}

Parsed<std::string> parse_path_glob(std::string_view text) {
  const bool fit = (text.starts_with('/') || text.starts_with('*')) && text.size() <= 2048 &&
                   std::ranges::all_of(text, [](char c) {
                     return c > 0x20 && c < 0x7f && c != '?' && c != '#' && c != '\\';
                   });
  if (!fit) {
    return bad<std::string>(
        "must be a path as clients send it, without query, in which '*' stands for anything, got " +
        shown(text));
  }
  return good(std::string(text));
}

Parsed<std::string> parse_pointer(std::string_view text) {
  bool fit = text.starts_with('/') && text.size() <= 1024;
  for (std::size_t i = 0; fit && i < text.size(); ++i) {
    fit = text[i] != '~' || (i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1'));
  }
  if (!fit) {
    return bad<std::string>("must be a JSON pointer (like /inferenceConfig/temperature), got " +
                            shown(text));
  }
  return good(std::string(text));
}

Parsed<ControlShare> parse_control(std::string_view text) {
  if (text == "auto") return good(ControlShare{.automatic = true, .percent = {}});
  Parsed<Percent> percent = parse_percent(text);
  if (!percent.value) return bad<ControlShare>(percent.problem + " (or auto)");
  return good(ControlShare{.automatic = false, .percent = *percent.value});
}

void read_headers(Section& match, std::vector<HeaderMatch>& headers) {
  const ConfigNode* node = match.find("headers");
  if (node == nullptr) return;
  Section section(*node, match.path_of("headers"), match.problems());
  for (const ConfigMember& member : node->members) {
    const Parsed<std::string> name = parse_header_name(member.key);
    if (!name.value) {
      match.problems().add(member.place, section.path_of(shown(member.key)), name.problem);
    }
    HeaderMatch header{member.key, {}};
    if (section.read(member.key, header.value, parse_text)) headers.push_back(std::move(header));
  }
}

void read_match(Section& route, MatchConfig& match) {
  const ConfigNode* node = route.find("match");
  if (node == nullptr) return;
  Section section(*node, route.path_of("match"), route.problems());
  section.read_list("models", match.models, parse_model_glob);
  section.read_list("operations", match.operations, parse_operation);
  section.read_list("paths", match.paths, parse_path_glob);
  read_headers(section, match.headers);
  section.read_list("callers", match.callers, parse_text);
  section.not_yet({"query"});
  section.finish();
}

// One step of a json_patch (RFC 6902 section 4).
void check_patch_step(const ConfigNode& node, std::string path, Problems& problems) {
  Section step(node, std::move(path), problems);
  static constexpr std::array<std::string_view, 6> kSteps{"add",  "remove", "replace",
                                                          "move", "copy",   "test"};
  const auto parse_step = [](std::string_view text) {
    if (std::ranges::find(kSteps, text) != kSteps.end()) return good(std::string(text));
    return bad<std::string>("must be add, remove, replace, move, copy or test, got " + shown(text));
  };
  std::string op;
  std::string pointer;
  const bool known = step.require("op") && step.read("op", op, parse_step);
  step.require("path");
  // The empty pointer is the whole body: a patch that puts another body in its place is a mistake.
  step.read("path", pointer, parse_pointer);
  const bool has_from = step.find("from") != nullptr;
  step.read("from", pointer, parse_pointer);
  step.find("value");
  if (known && (op == "move" || op == "copy") && !has_from) step.require("from");
  if (known && (op == "add" || op == "replace" || op == "test")) step.require("value");
  step.finish();
}

void read_json_patch(Section& section, RewriteRule& rule) {
  const ConfigNode* list = section.find_list("json_patch");
  if (list == nullptr) return;
  if (list->items.empty()) section.problem("json_patch", "must not be empty");
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    check_patch_step(list->items[i], section.path_of("json_patch", i), section.problems());
  }
  rule.json = to_json(*list);
}

void read_rewrite_rule(const ConfigNode& node, std::string path, Problems& problems,
                       RewriteRule& rule) {
  Section section(node, std::move(path), problems);
  section.read_list("operations", rule.operations, parse_rewritten);
  section.not_yet({"rename", "when"});
  const bool removes = section.find("remove") != nullptr;
  const bool sets = section.find("set") != nullptr;
  const bool patches = section.find("json_patch") != nullptr;
  if (removes + sets + patches != 1 && node.kind == ConfigNode::Kind::map) {
    problems.add(node.place, section.path(), "takes one of remove, set, json_patch and preset");
  }
  if (removes) section.read("remove", rule.pointer, parse_pointer);
  if (sets) {
    rule.kind = RewriteRule::Kind::set;
    section.read("set", rule.pointer, parse_pointer);
    section.require("value");
    if (const ConfigNode* value = section.find("value")) rule.json = to_json(*value);
  }
  if (patches) {
    rule.kind = RewriteRule::Kind::json_patch;
    read_json_patch(section, rule);
  }
  section.finish();
}

// A preset stands for its rules.
void read_preset(const ConfigNode& node, std::string path, Problems& problems,
                 std::vector<RewriteRule>& rules) {
  Section section(node, std::move(path), problems);
  std::string name;
  if (section.read("preset", name, parse_text)) {
    if (const auto place = preset_place(name)) {
      const Preset& preset = presets()[*place];
      rules.insert(rules.end(), preset.rules.begin(), preset.rules.end());
    } else {
      std::vector<std::string> names;
      for (const Preset& preset : presets()) names.push_back(preset.name);
      section.problem("preset",
                      "there is no preset " + shown(name) + suggestion_or_all(name, names));
    }
  }
  section.finish();
}

void read_rewrite(Section& candidate, std::vector<RewriteRule>& rules) {
  const ConfigNode* node = candidate.find("rewrite");
  if (node == nullptr) return;
  if (node->kind == ConfigNode::Kind::scalar) {
    candidate.problem("rewrite", "must be a list of rules, like [{preset: drop-sampling}]");
    return;
  }
  const ConfigNode* list = candidate.find_list("rewrite");
  if (list == nullptr) return;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const ConfigNode& item = list->items[i];
    std::string path = candidate.path_of("rewrite", i);
    if (item.kind == ConfigNode::Kind::map && item.find("preset") != nullptr) {
      read_preset(item, std::move(path), candidate.problems(), rules);
    } else {
      read_rewrite_rule(item, std::move(path), candidate.problems(), rules.emplace_back());
    }
  }
}

constexpr std::uint64_t kMaxQuota = 1'000'000'000'000;  // a minute

Parsed<std::string> parse_quota_source(std::string_view text) {
  if (text == "config" || text == "service_quotas") return good(std::string(text));
  return bad<std::string>("must be config or service_quotas, got " + shown(text));
}

// Service Quotas name models, and are asked with AWS keys.
void check_quota_source(Section& section, const VariantConfig& variant, const Config& config) {
  if (variant.quota.requests_per_minute && variant.quota.tokens_per_minute)
    section.problem("from", "is not needed: both figures are given");
  if (foundation_model(variant.model).empty()) {
    section.problem("from",
                    "needs candidate.model to be a foundation model or an inference profile by its "
                    "id; give requests_per_minute and tokens_per_minute instead");
  }
  if (variant.upstream >= config.upstreams.size()) return;
  const UpstreamConfig& upstream = config.upstreams[variant.upstream];
  if (upstream.signing_service != "bedrock") {
    section.problem("from",
                    "knows the quotas of bedrock-runtime alone; give requests_per_minute and "
                    "tokens_per_minute instead");
  }
  using Source = CredentialsConfig::Source;
  const Source source = upstream.credentials.source;
  if (source == Source::bearer || source == Source::forward_bearer) {
    section.problem("from", "needs AWS keys: the upstream " + upstream.name +
                                " has a Bedrock API key, which Service Quotas do not take");
  }
  if (upstream.region.empty()) section.problem("from", "needs the region of the upstream");
}

void read_quota_source(Section& section, VariantConfig& variant, const Config& config) {
  std::string from = "config";
  ServiceQuotaSource source;
  section.read("from", from, parse_quota_source);
  section.read("part", source.part, parse_percent);
  section.read("every", source.every, duration_between(1min, 30 * 24h));
  section.read("name", source.name, parse_text);
  if (from == "config") {
    for (const char* key : {"part", "every", "name"}) {
      if (section.find(key) != nullptr)
        section.problem(key, "is for quotas that are read: say `from: service_quotas`");
    }
    return;
  }
  check_quota_source(section, variant, config);
  variant.quota.service_quotas = std::move(source);
}

void read_quota(Section& candidate, VariantConfig& variant, const Config& config) {
  const ConfigNode* node = candidate.find("quota");
  if (node == nullptr) return;
  QuotaConfig& quota = variant.quota;
  Section section(*node, candidate.path_of("quota"), candidate.problems());
  const auto amount = count_between<std::uint64_t>(1, kMaxQuota);
  section.read("requests_per_minute", quota.requests_per_minute, amount);
  section.read("tokens_per_minute", quota.tokens_per_minute, amount);
  section.read("output_burn_down", quota.output_burn_down, count_between<std::uint32_t>(1, 1000));
  read_quota_source(section, variant, config);
  section.finish();
}

// `primary: east`, which is how one would say it. What does not read like a name is not shown.
bool is_bare_name(Section& parent, std::string_view key, const ConfigNode& node) {
  if (node.kind != ConfigNode::Kind::scalar || lacks_space_after_colon(node.text)) return false;
  const auto name = parse_name(node.text);
  parent.problem(key, "must be a map: {upstream: " + name.value.value_or("NAME") + "}");
  return true;
}

VariantConfig read_variant(Section& route, std::string_view key, const ConfigNode& node,
                           const Config& config) {
  VariantConfig variant;
  if (is_bare_name(route, key, node)) return variant;
  Section section(node, route.path_of(key), route.problems());
  variant.upstream = read_upstream_name(section, config).value_or(0);
  section.read("model", variant.model, parse_model);
  if (key == "candidate") {
    read_rewrite(section, variant.rewrite);
    read_quota(section, variant, config);
  } else if (section.find("rewrite") != nullptr) {
    section.problem("rewrite", "only a candidate's requests are rewritten");
  } else if (section.find("quota") != nullptr) {
    section.problem("quota", "only a candidate's volume is held against a quota");
  }
  section.finish();
  return variant;
}

void read_budget(Section& shadow, ShadowBudget& budget) {
  const ConfigNode* node = shadow.find("budget");
  if (node == nullptr) return;
  Section section(*node, shadow.path_of("budget"), shadow.problems());
  section.read("usd_per_day", budget.usd_per_day, parse_amount);
  section.read("requests_per_minute", budget.requests_per_minute,
               count_between<std::uint64_t>(1, 1'000'000));
  section.read("tokens_per_minute", budget.tokens_per_minute,
               count_between<std::uint64_t>(1, 1'000'000'000'000));
  section.not_yet({"usd_per_month"});
  section.finish();
}

void read_breaker(Section& shadow, BreakerConfig& breaker) {
  const ConfigNode* node = shadow.find("breaker");
  if (node == nullptr) return;
  Section section(*node, shadow.path_of("breaker"), shadow.problems());
  section.read("consecutive_failures", breaker.consecutive_failures,
               count_between<std::uint32_t>(1, 1'000'000));
  section.read("failure_percent", breaker.failure_percent, parse_percent);
  section.read("min_requests", breaker.min_requests, count_between<std::uint32_t>(1, 1'000'000));
  section.read("window", breaker.window, duration_between(100ms, 1h));
  section.read("open_for", breaker.open_for, duration_between(100ms, 1h));
  section.finish();
}

void read_shadow(Section& route, ShadowConfig& shadow) {
  const ConfigNode* node = route.find("shadow");
  if (node == nullptr) return;
  Section section(*node, route.path_of("shadow"), route.problems());
  constexpr std::size_t kKiB = std::size_t{1} << 10;
  constexpr std::size_t kGiB = std::size_t{1} << 30;
  const auto time = duration_between(1ms, 24h);
  section.read("percent", shadow.percent, parse_percent);
  section.read("control_percent", shadow.control, parse_control);
  section.read("max_in_flight", shadow.max_in_flight, count_between(1, 100'000));
  section.read("max_queued", shadow.max_queued, count_between(0, 1'000'000));
  section.read("max_body_bytes", shadow.max_body_bytes, size_between(kKiB, kGiB));
  section.read("max_capture_bytes", shadow.max_capture_bytes, size_between(kKiB, kGiB));
  section.read("connect_timeout", shadow.connect_timeout, time);
  section.read("first_byte_timeout", shadow.first_byte_timeout, time);
  section.read("timeout", shadow.timeout, time);
  section.read("skip_probes", shadow.skip_probes, parse_bool);
  section.read("suspend_for", shadow.suspend_for, duration_between(1s, 1h));
  section.read("settled_percent", shadow.settled, parse_percent);
  read_budget(section, shadow.budget);
  read_breaker(section, shadow.breaker);
  section.not_yet({"delay", "sample_by", "schedule"});
  section.finish();
}

Parsed<EndOfLifeAction> parse_end_of_life_action(std::string_view text) {
  if (text == "alarm") return good(EndOfLifeAction::alarm);
  if (text == "serve_candidate") return good(EndOfLifeAction::serve_candidate);
  return bad<EndOfLifeAction>("must be alarm or serve_candidate, got " + shown(text));
}

void read_drill(Section& route, Percent& drill) {
  const ConfigNode* node = route.find("drill");
  if (node == nullptr) return;
  Section section(*node, route.path_of("drill"), route.problems());
  section.require("percent");
  section.read("percent", drill, parse_percent);
  section.finish();
}

void read_keep_warm(Section& route, milliseconds& every) {
  const ConfigNode* node = route.find("keep_warm");
  if (node == nullptr) return;
  Section section(*node, route.path_of("keep_warm"), route.problems());
  section.require("every");
  section.read("every", every, duration_between(1s, 14 * 24h));
  section.finish();
}

void read_route(const ConfigNode& node, std::string path, Problems& problems, const Config& config,
                RouteConfig& route) {
  Section section(node, std::move(path), problems);
  section.require("name");
  section.read("name", route.name, parse_name);
  read_match(section, route.match);
  if (section.require("primary")) {
    if (const ConfigNode* primary = section.find("primary")) {
      route.primary = read_variant(section, "primary", *primary, config);
    }
  }
  if (const ConfigNode* candidate = section.find("candidate")) {
    route.candidate = read_variant(section, "candidate", *candidate, config);
  }
  read_shadow(section, route.shadow);
  read_canary(section, route.canary);
  read_verdict(section, route.verdict);
  section.read("on_end_of_life", route.on_end_of_life, parse_end_of_life_action);
  read_drill(section, route.drill);
  read_keep_warm(section, route.keep_warm);
  section.not_yet({"evidence", "lifecycle", "gates", "families"});
  section.finish();
}

}  // namespace

std::optional<std::size_t> read_upstream_name(Section& section, const Config& config) {
  std::string name;
  if (!section.require("upstream") || !section.read("upstream", name, parse_name)) {
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    if (config.upstreams[i].name == name) return i;
    names.push_back(config.upstreams[i].name);
  }
  section.problem("upstream", "no upstream is called " + name + suggestion_or_all(name, names));
  return std::nullopt;
}

void read_routes(Section& root, Config& config) {
  const ConfigNode* list = root.find_list("routes");
  if (list == nullptr) return;
  config.routes.resize(list->items.size());
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    read_route(list->items[i], root.path_of("routes", i), root.problems(), config,
               config.routes[i]);
  }
}

void read_default_route(Section& root, Config& config) {
  const ConfigNode* node = root.find("default_route");
  if (node == nullptr) return;
  if (is_bare_name(root, "default_route", *node)) return;
  Section section(*node, "default_route", root.problems());
  config.default_upstream = read_upstream_name(section, config);
  section.not_yet({"model"});
  section.finish();
}

}  // namespace understudy::routing
