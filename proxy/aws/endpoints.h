#pragma once
// Where AWS's own services are found. Pure.

#include <string>
#include <string_view>

#include "proxy/credentials.h"
#include "proxy/error.h"
#include "routing/config.h"

namespace understudy::proxy::aws {

// "sts.us-east-1.amazonaws.com", or what the variable ("AWS_ENDPOINT_URL_STS") says. Plain HTTP is
// taken to loopback alone: credentials travel there.
Result<routing::Endpoint> service_endpoint(std::string_view prefix, std::string_view region,
                                           std::string_view variable_name,
                                           const Environment& environment);

// A URL as an endpoint without a path, and what stands behind the host (at least "/").
struct SplitUrl {
  routing::Endpoint endpoint;
  std::string target;
};
Result<SplitUrl> split_url(std::string_view url, std::string_view name);

// For people: "https://host:port".
std::string url_of(const routing::Endpoint& endpoint);

}  // namespace understudy::proxy::aws
