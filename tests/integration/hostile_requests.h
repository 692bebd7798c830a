#pragma once
// Row A13 of tests/attacks/README.md: requests that would have the proxy connect to where they say,
// the same over both protocols.

#include <string>
#include <vector>

#include "tests/support/h2_frames.h"

namespace understudy::testing_support {

struct HostileRequest {
  std::string why;
  std::string target = "/model/m/invoke";
  std::string host = "a";
  h2::Fields fields{};
  std::string body = "{}";
  bool refused = false;  // else it is the primary who answers
};

// `evil`: "127.0.0.1:port" of who must never be connected to.
inline std::vector<HostileRequest> hostile_requests(const std::string& evil) {
  const auto with = [](std::string name, std::string value) {
    return HostileRequest{.why = name, .fields = {{name, value}}};
  };
  const auto at = [](std::string target, bool refused) {
    return HostileRequest{.why = target, .target = target, .refused = refused};
  };
  const auto to = [](std::string host, bool refused) {
    return HostileRequest{.why = "host " + host, .host = host, .refused = refused};
  };
  const std::string arn = "arn:aws:bedrock:" + evil + ":1:inference-profile/a";
  return {
      // Host.
      to(evil, false),
      to("bedrock-runtime.evil-1.amazonaws.com", false),
      to("a:80@" + evil, true),
      to(evil + "/a", true),
      // The target: in absolute form, as a network path, as a proxy's query.
      at("http://" + evil + "/model/m/invoke", true),
      at("https://" + evil + "/model/m/invoke", true),
      at("//" + evil + "/model/m/invoke", false),  // a doubled slash there is one
      at("/\\" + evil + "/model/m/invoke", true),
      at("/model/m/invoke?url=http://" + evil + "/&endpoint=" + evil + "&region=evil-1", false),
      at("/model/m/invoke#@" + evil, true),
      // The model's id, and the Region in an ARN.
      at("/model/" + evil + "/invoke", false),
      at("/model/" + arn + "/invoke", false),
      at("/model/arn:aws:bedrock:evil-1:1:inference-profile/a/invoke", false),
      at("/model/arn%3Aaws%3Abedrock%3Aevil.example%2F:1:inference-profile/a/invoke", false),
      at("/model/http:%2F%2F" + evil + "%2F/invoke", false),
      at("/model/..%2F..%2F" + evil + "/invoke", true),
      at("/model/@" + evil + "/invoke", false),
      {.why = "a body",
       .body = R"({"endpoint_url": "http://)" + evil + R"(", "region": "evil-1"})"},
      // What gateways tell those behind them.
      with("x-forwarded-host", evil),
      with("forwarded", "host=" + evil + ";proto=http"),
      with("x-forwarded-server", evil),
      with("x-original-url", "http://" + evil + "/"),
      with("x-rewrite-url", "http://" + evil + "/"),
      with("x-envoy-original-dst-host", evil),
      with("destination", "http://" + evil + "/"),
      with("x-understudy-upstream", evil),
      with("x-amz-region", "evil-1"),
      with("authorization",
           "AWS4-HMAC-SHA256 Credential=AKID/20260101/evil-1/bedrock/aws4_request"),
  };
}

}  // namespace understudy::testing_support
