#include "proxy/aws/endpoints.h"

#include <algorithm>

#include "routing/config_values.h"

namespace understudy::proxy::aws {
namespace {

std::string_view dns_suffix(std::string_view region) {
  return region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
}

}  // namespace

Result<routing::Endpoint> service_endpoint(std::string_view prefix, std::string_view region,
                                           std::string_view variable_name,
                                           const Environment& environment) {
  const std::string given = variable(environment, variable_name);
  if (given.empty()) {
    routing::Endpoint endpoint;
    endpoint.host.append(prefix).append(".").append(region).append(".").append(dns_suffix(region));
    return endpoint;
  }
  auto parsed = routing::parse_endpoint(given);
  if (!parsed.value) return credentials_error(std::string(variable_name) + " " + parsed.problem);
  if (!parsed.value->tls && !routing::is_loopback(parsed.value->host)) {
    return credentials_error(std::string(variable_name) +
                             " must be https:// beyond this machine: credentials travel there");
  }
  return std::move(*parsed.value);
}

Result<SplitUrl> split_url(std::string_view url, std::string_view name) {
  const std::size_t scheme = url.find("://");
  const std::size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t path = std::min(url.find_first_of("/?#", host), url.size());
  auto parsed = routing::parse_endpoint(url.substr(0, path));
  if (!parsed.value) return credentials_error(std::string(name) + " " + parsed.problem);
  std::string target(url.substr(path));
  if (!target.starts_with('/')) target.insert(0, "/");
  const bool fit = target.size() <= 2048 && std::all_of(target.begin(), target.end(), [](char c) {
                     return c > ' ' && c < '\x7f' && c != '#';
                   });
  if (!fit)
    return credentials_error(std::string(name) + " has a path that is not fit for a request");
  return SplitUrl{std::move(*parsed.value), std::move(target)};
}

std::string url_of(const routing::Endpoint& endpoint) {
  const std::uint16_t usual = endpoint.tls ? 443 : 80;
  return (endpoint.tls ? "https://" : "http://") + endpoint.host +
         (endpoint.port == usual ? "" : ":" + std::to_string(endpoint.port)) + endpoint.path;
}

}  // namespace understudy::proxy::aws
