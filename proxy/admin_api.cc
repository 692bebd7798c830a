#include "proxy/admin_api.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "metrics/evidence/evidence_json.h"
#include "proxy/admin_page.h"
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

bool is_our_host(std::string_view value, std::uint16_t port) {
  const std::string suffix = ":" + std::to_string(port);
  std::string_view host = value;
  if (host.ends_with(suffix)) {
    host.remove_suffix(suffix.size());
  } else if (port != 80) {
    return false;
  }
  return routing::equals_ignoring_case(host, "localhost") || host == "[::1]" ||
         is_loopback_v4(host);
}

bool is_our_origin(std::string_view origin, std::string_view host) {
  constexpr std::string_view kScheme = "http://";
  return origin.starts_with(kScheme) &&
         routing::equals_ignoring_case(origin.substr(kScheme.size()), host);
}

// None where the request may be answered.
std::optional<AdminReply> refuse_foreign(const AdminRequest& request, std::uint16_t port) {
  if (request.hosts.size() != 1 || !is_our_host(request.hosts.front(), port)) {
    return error(403, "the Host must be localhost or a loopback address with this port");
  }
  const bool same_origin = std::all_of(
      request.origins.begin(), request.origins.end(),
      [&](std::string_view origin) { return is_our_origin(origin, request.hosts.front()); });
  if (request.method == "POST" && !same_origin)
    return error(403, "a POST must not come from another site's page");
  return std::nullopt;
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

AdminReply metrics_page(const AdminSources& sources) {
  AdminReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = sources.exposition() + verdict_exposition(*sources.snapshot(), sources.evidence);
  return reply;
}

AdminReply status(const AdminSources& sources) {
  return json_reply(
      status_json(*sources.snapshot(), sources.process(), sources.exposition(), sources.evidence));
}

AdminReply routes(const AdminSources& sources) {
  return json_reply(routes_json(*sources.snapshot(), sources.exposition(), sources.evidence));
}

AdminReply one_route(std::string_view name, const AdminSources& sources) {
  constexpr std::string_view kEvidence = "/evidence";
  if (name.ends_with(kEvidence)) {
    name.remove_suffix(kEvidence.size());
    const auto evidence = sources.evidence(name);
    if (!evidence) return error(404, "no evidence of a route of that name");
    return json_reply(metrics::to_json_text(*evidence));
  }
  auto described = route_json(*sources.snapshot(), name, sources.exposition(), sources.evidence);
  if (!described) return error(404, "no route of that name");
  return json_reply(std::move(*described));
}

AdminReply reload(const AdminSources& sources) {
  const ReloadOutcome outcome = sources.reload();
  const bool refused = outcome.result == metrics::ReloadResult::refused;
  return json_reply(reload_json(outcome), refused ? 422 : 200);
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
    Page{"/api/routes", routes},
};

}  // namespace

AdminReply answer(const AdminRequest& request, std::uint16_t port, const AdminSources& sources) {
  if (auto refusal = refuse_foreign(request, port)) return std::move(*refusal);
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (path == "/api/reload") {
    return request.method == "POST" ? reload(sources) : method_not_allowed("POST");
  }
  const auto* const found =
      std::find_if(kPages.begin(), kPages.end(), [&](const Page& one) { return one.path == path; });
  const bool is_route = path.starts_with(kRoutePrefix);
  if (found == kPages.end() && !is_route) return error(404, "there is nothing here");
  if (request.method != "GET") return method_not_allowed("GET");
  // Names of routes need no percent-encoding (letters, digits, dots, dashes and underscores).
  return is_route ? one_route(path.substr(kRoutePrefix.size()), sources) : found->answer(sources);
}

}  // namespace understudy::proxy
