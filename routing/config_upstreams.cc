// The `upstreams` section.

#include <algorithm>
#include <array>

#include "routing/config_sections.h"

namespace understudy::routing {
namespace {

// Bedrock names its hosts `bedrock-runtime[-fips].{region}.{suffix}`; the control plane's lack
// "-runtime".
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kHostPrefixes{{
    {"bedrock-runtime.", "bedrock."},
    {"bedrock-runtime-fips.", "bedrock-fips."},
}};
// `bedrock-mantle.{region}.api.aws` has no control plane and a signing name of its own.
constexpr std::string_view kMantlePrefix = "bedrock-mantle.";

Endpoint derived_control_endpoint(const Endpoint& endpoint) {
  Endpoint derived = endpoint;
  for (const auto& [runtime, control] : kHostPrefixes) {
    if (!endpoint.host.starts_with(runtime)) continue;
    derived.host = std::string(control) + endpoint.host.substr(runtime.size());
  }
  return derived;
}

std::string region_of(const Endpoint& endpoint) {
  static constexpr std::array kPrefixes{kHostPrefixes[0].first, kHostPrefixes[1].first,
                                        kMantlePrefix};
  for (const std::string_view prefix : kPrefixes) {
    if (!endpoint.host.starts_with(prefix)) continue;
    const std::string rest = endpoint.host.substr(prefix.size());
    if (rest.find('.') != rest.npos) return rest.substr(0, rest.find('.'));
  }
  return {};
}

Parsed<std::string> parse_service(std::string_view text) {
  const bool fit = !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!fit) {
    return bad<std::string>(
        "must be the name that requests are signed for, like bedrock or "
        "bedrock-mantle, got " +
        shown(text));
  }
  return good(std::string(text));
}

void check_plaintext(Section& section, std::string_view key, const Endpoint& endpoint,
                     bool allowed) {
  if (endpoint.tls || allowed || is_loopback(endpoint.host)) return;
  section.problem(key,
                  "sends prompts and credentials in the clear; use https://, or say "
                  "`allow_plaintext: true`");
}

// Places that answer, but not what is asked of them.
void check_place(Section& section, const Endpoint& endpoint) {
  const bool of_aws = endpoint.host.find(".amazonaws.com") != std::string::npos;
  for (const auto& [runtime, control] : kHostPrefixes) {
    if (of_aws && endpoint.host.starts_with(control))
      section.warning("endpoint",
                      "is the control plane's, where no model answers: " + std::string(runtime) +
                          endpoint.host.substr(control.size()) + " does");
  }
  if (endpoint.path == "/model" || endpoint.path.starts_with("/model/"))
    section.warning("endpoint", "has the path " + endpoint.path +
                                    ", which goes before the path of every request: /model/... "
                                    "comes from the client");
}

void read_endpoints(Section& section, UpstreamConfig& upstream) {
  section.require("endpoint");
  section.read("allow_plaintext", upstream.allow_plaintext, parse_bool);
  const bool given = section.read("endpoint", upstream.endpoint, parse_endpoint);
  upstream.control_endpoint = derived_control_endpoint(upstream.endpoint);
  const bool control_given =
      section.read("control_endpoint", upstream.control_endpoint, parse_endpoint);
  if (given) {
    check_plaintext(section, "endpoint", upstream.endpoint, upstream.allow_plaintext);
    check_place(section, upstream.endpoint);
  }
  if (control_given) {
    check_plaintext(section, "control_endpoint", upstream.control_endpoint,
                    upstream.allow_plaintext);
  }
}

// "us-gov-west-1": letters, a direction, a number.
bool is_like_a_region(std::string_view region) {
  static constexpr std::array<std::string_view, 9> kDirections{"central",   "east",      "north",
                                                               "northeast", "northwest", "south",
                                                               "southeast", "southwest", "west"};
  const std::size_t number = region.rfind('-');
  if (number == region.npos || number + 1 == region.size()) return false;
  const std::size_t direction = region.substr(0, number).rfind('-');
  if (direction == region.npos || direction < 2) return false;
  return region.substr(number + 1).find_first_not_of("0123456789") == region.npos &&
         std::ranges::find(kDirections, region.substr(direction + 1, number - direction - 1)) !=
             kDirections.end();
}

// A host without a dot is nobody's at AWS, and a rehearsal's region may be called anything.
void check_region(Section& section, const UpstreamConfig& upstream) {
  const std::string& host = upstream.endpoint.host;
  if (!signs(upstream.credentials.source) || upstream.region.empty() || is_loopback(host) ||
      host.find('.') == std::string::npos || is_like_a_region(upstream.region))
    return;
  section.warning(
      section.find("region") == nullptr ? "endpoint" : "region",
      "is signed for " + upstream.region + ", which does not read like a region (us-east-1)");
}

void read_region(Section& section, UpstreamConfig& upstream) {
  const std::string region_in_host = region_of(upstream.endpoint);
  const bool is_given = section.find("region") != nullptr;
  if (!section.read("region", upstream.region, parse_region)) {
    upstream.region = region_in_host;
    if (!is_given && signs(upstream.credentials.source) && region_in_host.empty())
      section.problem("region", "is missing: the endpoint's name tells none");
  } else if (!region_in_host.empty() && region_in_host != upstream.region) {
    section.problem("region", "is " + upstream.region + ", but the endpoint is in " +
                                  region_in_host + ": requests are signed for one region");
  }
  check_region(section, upstream);
}

void read_upstream(const ConfigNode& node, Section& upstreams,
                   const std::filesystem::path& directory, UpstreamConfig& upstream) {
  Section section(node, upstreams.path_of(upstream.name), upstreams.problems());
  read_endpoints(section, upstream);
  read_credentials(section, directory, upstream.credentials);
  read_region(section, upstream);
  if (upstream.endpoint.host.starts_with(kMantlePrefix)) {
    upstream.signing_service = "bedrock-mantle";
  }
  section.read("signing_service", upstream.signing_service, parse_service);
  read_existing_file(section, "ca_file", directory, upstream.ca_file);
  const auto time = duration_between(1ms, 24h);
  section.read("connect_timeout", upstream.connect_timeout, time);
  section.read("first_byte_timeout", upstream.first_byte_timeout, time);
  section.read("stream_idle_timeout", upstream.stream_idle_timeout, time);
  section.read("pool_idle_timeout", upstream.pool_idle_timeout, duration_between(0ms, 24h));
  section.read("max_idle_connections", upstream.max_idle_connections, count_between(0, 65'536));
  section.read("tcp_keep_alive", upstream.tcp_keep_alive, tcp_keep_alive_between());
  section.read("dns_refresh", upstream.dns_refresh, time);
  section.read("dns_keep", upstream.dns_keep, time);
  if (upstream.dns_keep < upstream.dns_refresh)
    section.problem("dns_keep", "must not be below dns_refresh");
  section.not_yet({"h2", "http2", "tls", "endpoints", "proxy"});
  section.finish();
}

}  // namespace

void read_upstreams(Section& root, const std::filesystem::path& directory,
                    std::vector<UpstreamConfig>& upstreams) {
  if (!root.require("upstreams")) return;
  const ConfigNode* node = root.find("upstreams");
  if (node == nullptr) return;
  Section section(*node, "upstreams", root.problems());
  if (node->kind == ConfigNode::Kind::map && node->members.empty()) {
    root.problem("upstreams", "must not be empty");
  }
  for (const ConfigMember& member : node->members) {
    const Parsed<std::string> name = parse_name(member.key);
    if (!name.value) {
      root.problems().add(member.place, section.path_of(shown(member.key)),
                          "the name " + name.problem);
    }
    upstreams.emplace_back().name = member.key;
    read_upstream(member.value, section, directory, upstreams.back());
  }
}

}  // namespace understudy::routing
