#include "proxy/admin_api.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "metrics/evidence/evidence_json.h"
#include "proxy/admin_page.h"
#include "proxy/digest.h"
#include "proxy/fleet_exposition.h"
#include "proxy/keep_warm.h"
#include "proxy/lifecycle_report.h"
#include "routing/day.h"
#include "routing/fields.h"

namespace understudy::proxy {
namespace {

constexpr std::string_view kRoutePrefix = "/api/routes/";

AdminReply error(unsigned status, std::string_view what) {
  return {.status = status,
          .content_type = "application/json",
          .body = error_json(what),
          .allow = {},
          .content_security_policy = {}};
}

AdminReply method_not_allowed(std::string_view allow) {
  AdminReply reply = error(405, "this path is for " + std::string(allow) + " only");
  reply.allow = allow;
  return reply;
}

AdminReply json_reply(std::string body, unsigned status = 200) {
  AdminReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

AdminReply text_reply(std::string_view body, unsigned status = 200) {
  AdminReply reply;
  reply.status = status;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = body;
  return reply;
}

// 127.0.0.0/8 as four numbers; nothing that only looks like it ("127.1", "127.evil.example").
bool is_loopback_v4(std::string_view host) {
  if (!host.starts_with("127.")) return false;
  int parts = 0;
  while (true) {
    unsigned number = 0;
    const auto [end, failure] = std::from_chars(host.data(), host.data() + host.size(), number);
    if (failure != std::errc{} || number > 255) return false;
    ++parts;
    host.remove_prefix(static_cast<std::size_t>(end - host.data()));
    if (host.empty()) return parts == 4;
    if (host.front() != '.') return false;
    host.remove_prefix(1);
  }
}

// Without `:port`; none where another port, or none that may be left out, stands there.
std::optional<std::string_view> without_port(std::string_view host, std::uint16_t port, bool tls) {
  const std::string suffix = ":" + std::to_string(port);
  if (host.ends_with(suffix)) return host.substr(0, host.size() - suffix.size());
  const bool usual = port == (tls ? 443 : 80);
  return usual ? std::optional(host) : std::nullopt;
}

// A browser that was led here by a name has that name in Host: an address cannot be made to mean
// us.
bool is_our_address(std::string_view host, std::string_view local_address) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return !local_address.empty() && routing::equals_ignoring_case(host, local_address);
}

bool is_listed(std::string_view host, const std::vector<std::string>& names) {
  const std::string_view name =
      host.starts_with('[') ? host.substr(0, host.find(']') + 1) : host.substr(0, host.find(':'));
  return std::any_of(names.begin(), names.end(), [&](const std::string& listed) {
    return routing::equals_ignoring_case(name, listed);
  });
}

bool is_our_host(std::string_view value, const AdminRequest& request, std::uint16_t port,
                 const routing::AdminConfig& config) {
  if (is_listed(value, config.hosts)) return true;
  const auto host = without_port(value, port, request.tls);
  if (!host) return false;
  return routing::equals_ignoring_case(*host, "localhost") || *host == "[::1]" ||
         is_loopback_v4(*host) || is_our_address(*host, request.local_address);
}

bool is_our_origin(std::string_view origin, const AdminRequest& request) {
  const std::string_view scheme = request.tls ? "https://" : "http://";
  return origin.starts_with(scheme) &&
         routing::equals_ignoring_case(origin.substr(scheme.size()), request.hosts.front());
}

// What browsers add by themselves (Fetch Metadata): our own page, or typed by hand.
bool is_our_site(std::string_view site) {
  return site == "same-origin" || site == "none";
}

// None where the request may be answered.
std::optional<AdminReply> refuse_foreign(const AdminRequest& request, std::uint16_t port,
                                         const routing::AdminConfig& config) {
  if (request.hosts.size() != 1 || !is_our_host(request.hosts.front(), request, port, config)) {
    return error(403,
                 "the Host must be localhost, a loopback address or the address of this port, with "
                 "the port, or one of admin.hosts");
  }
  const bool same_origin =
      std::all_of(request.origins.begin(), request.origins.end(),
                  [&](std::string_view origin) { return is_our_origin(origin, request); }) &&
      std::all_of(request.fetch_sites.begin(), request.fetch_sites.end(), is_our_site);
  if (request.method == "POST" && !same_origin)
    return error(403, "a POST must not come from another site's page");
  return std::nullopt;
}

bool brings_token(const AdminRequest& request, const Secret& token) {
  constexpr std::string_view kBearer = "bearer ";
  if (request.authorizations.size() != 1) return false;
  const std::string_view value = request.authorizations.front();
  return routing::equals_ignoring_case(value.substr(0, kBearer.size()), kBearer) &&
         equal_in_constant_time(value.substr(kBearer.size()), token.reveal());
}

AdminReply page() {
  AdminPage made = make_admin_page();
  AdminReply reply;
  reply.content_type = "text/html; charset=utf-8";
  reply.body = std::move(made.html);
  reply.content_security_policy = std::move(made.content_security_policy);
  return reply;
}

AdminReply ready(const AdminSources& sources) {
  const ProcessStatus process = sources.process();
  if (process.ready) return text_reply("ready\n" + process.lacking);
  if (process.draining) return text_reply("draining\n", 503);
  if (process.lacking.empty()) return text_reply("starting\n", 503);
  return text_reply("waiting for credentials\n" + process.lacking, 503);
}

RouteSources route_sources(const AdminSources& sources) {
  return {.evidence = sources.evidence,
          .rollouts = [&sources](std::string_view route) { return sources.rollouts.view(route); },
          .shadow = sources.shadow,
          .volumes = sources.volumes,
          .quotas = sources.quotas,
          .models = sources.process().models,
          .fleet = sources.fleet,
          .family_lines = sources.family_lines};
}

AdminReply metrics_page(const AdminSources& sources) {
  const auto snapshot = sources.snapshot();
  AdminReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body =
      sources.exposition() + verdict_exposition(*snapshot, sources.evidence, sources.fleet) +
      rollout_exposition(*snapshot, route_sources(sources).rollouts, sources.rollouts.rollbacks()) +
      fleet_exposition(*snapshot, sources.replica, sources.evidence,
                       route_sources(sources).rollouts) +
      shadow_use_exposition(snapshot->config(), sources.shadow, std::chrono::steady_clock::now()) +
      volume_exposition(snapshot->config(), sources.volumes, sources.quotas);
  if (sources.quota_exposition) reply.body += sources.quota_exposition();
  if (sources.fleet_exposition) reply.body += sources.fleet_exposition();
  const ProcessStatus process = sources.process();
  reply.body +=
      rollback_exposition(snapshot->config(), process.models, std::chrono::system_clock::now());
  if (process.lifecycles)
    reply.body += lifecycle_exposition(
        report_models(snapshot->config(), *process.lifecycles, process.models, routing::today()));
  return reply;
}

AdminReply status(const AdminSources& sources) {
  return json_reply(status_json(*sources.snapshot(), sources.process(), sources.exposition(),
                                route_sources(sources)));
}

AdminReply lifecycle(const AdminSources& sources) {
  return json_reply(lifecycle_json(*sources.snapshot(), sources.process()));
}

AdminReply config(const AdminSources& sources) {
  return json_reply(config_json(*sources.snapshot(), sources.process()));
}

AdminReply routes(const AdminSources& sources) {
  return json_reply(routes_json(*sources.snapshot(), sources.exposition(), route_sources(sources)));
}

AdminReply one_route(std::string_view name, const AdminSources& sources) {
  constexpr std::string_view kEvidence = "/evidence";
  if (name.ends_with(kEvidence)) {
    name.remove_suffix(kEvidence.size());
    const auto evidence = sources.evidence(name);
    if (!evidence) return error(404, "no evidence of a route of that name");
    return json_reply(metrics::to_json_text(*evidence));
  }
  auto described =
      route_json(*sources.snapshot(), name, sources.exposition(), route_sources(sources));
  if (!described) return error(404, "no route of that name");
  return json_reply(std::move(*described));
}

// `path` is "NAME/ORDER"; none where it names no order.
std::optional<AdminReply> give_order(std::string_view path, const AdminRequest& request,
                                     const AdminSources& sources) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view route = path.substr(0, slash);
  const auto order = routing::order_from_name(path.substr(slash + 1));
  if (!order) return std::nullopt;
  if (request.method != "POST") return method_not_allowed("POST");
  const OrderAnswer answer = sources.rollouts.order(route, *order);
  using Result = OrderAnswer::Result;
  const unsigned status = answer.result == Result::done      ? 200
                          : answer.result == Result::refused ? 409
                                                             : 404;
  return json_reply(order_json(route, *order, answer, sources.rollouts.view(route)), status);
}

AdminReply reload_now(const AdminSources& sources) {
  const ReloadOutcome outcome = sources.reload();
  const bool refused = outcome.result == metrics::ReloadResult::refused;
  return json_reply(reload_json(outcome), refused ? 422 : 200);
}

AdminReply post_lifecycle(const AdminRequest& request, const AdminSources& sources) {
  LifecyclePosts::Answer answer = sources.post_lifecycle(request.body);
  return json_reply(std::move(answer.body), answer.status);
}

// It may wait for credentials: meanwhile a rollback must get through, and probes.
AdminReply reload(const AdminSources& sources) {
  AdminReply reply;
  reply.later = [&sources] { return reload_now(sources); };
  return reply;
}

struct Page {
  std::string_view path;
  AdminReply (*answer)(const AdminSources&);
};

constexpr std::array kPages{
    Page{"/", [](const AdminSources&) { return page(); }},
    Page{"/metrics", metrics_page},
    Page{"/healthz", [](const AdminSources&) { return text_reply("alive\n"); }},
    Page{"/readyz", ready},
    Page{"/api/status", status},
    Page{"/api/config", config},
    Page{"/api/routes", routes},
    Page{"/api/events",
         [](const AdminSources& sources) { return json_reply(sources.events.all_as_json()); }},
    Page{"/api/lifecycle", lifecycle},
};

}  // namespace

AdminReply answer(const AdminRequest& request, std::uint16_t port, const AdminSources& sources) {
  const auto snapshot = sources.snapshot();
  if (auto refusal = refuse_foreign(request, port, snapshot->config().admin))
    return std::move(*refusal);
  if (const Secret& token = snapshot->admin.token;
      !token.empty() && !brings_token(request, token)) {
    sources.refused("admin_token");
    return error(401, "this needs `Authorization: Bearer` with the token of admin.token_file");
  }
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (path == "/api/reload") {
    return request.method == "POST" ? reload(sources) : method_not_allowed("POST");
  }
  if (path == "/api/lifecycle" && request.method == "POST") return post_lifecycle(request, sources);
  const auto* const found =
      std::find_if(kPages.begin(), kPages.end(), [&](const Page& one) { return one.path == path; });
  const bool is_route = path.starts_with(kRoutePrefix);
  // Names of routes need no percent-encoding (letters, digits, dots, dashes and underscores).
  const std::string_view of_route =
      is_route ? path.substr(kRoutePrefix.size()) : std::string_view();
  if (auto reply = give_order(of_route, request, sources)) return std::move(*reply);
  if (found == kPages.end() && !is_route) return error(404, "there is nothing here");
  if (request.method != "GET")
    return method_not_allowed(path == "/api/lifecycle" ? "GET, POST" : "GET");
  return is_route ? one_route(of_route, sources) : found->answer(sources);
}

AdminReply read_only_answer(const AdminRequest& request, const AdminSources& sources) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (path != "/metrics" && path != "/healthz" && path != "/readyz")
    return error(404, "here are only /metrics, /healthz and /readyz");
  if (request.method != "GET") return method_not_allowed("GET");
  const auto* const found =
      std::find_if(kPages.begin(), kPages.end(), [&](const Page& one) { return one.path == path; });
  return found->answer(sources);
}

}  // namespace understudy::proxy
