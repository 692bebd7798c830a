#include "tests/support/fake_aws.h"

#include <algorithm>

#include "proxy/aws/timestamp.h"

namespace understudy::testing_support {
namespace {

// The value of a form's or query's parameter, still encoded.
std::string parameter(std::string_view text, std::string_view name) {
  const std::string wanted = std::string(name) + "=";
  std::size_t at = text.find(wanted);
  while (at != std::string_view::npos && at > 0 && text[at - 1] != '&' && text[at - 1] != '?')
    at = text.find(wanted, at + 1);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + wanted.size());
  return std::string(text.substr(0, text.find('&')));
}

std::string role_of(std::string arn) {
  return arn.substr(arn.rfind("%2F") == std::string::npos ? 0 : arn.rfind("%2F") + 3);
}

std::string metadata(std::string_view id, std::string_view expiration) {
  return answer("{\"Code\":\"Success\",\"AccessKeyId\":\"" + std::string(id) +
                "\",\"SecretAccessKey\":\"secret\",\"Token\":\"token\",\"Expiration\":\"" +
                std::string(expiration) + "\"}");
}

}  // namespace

FakeAws::FakeAws()
    : expires_(FakeClock::kBegin + std::chrono::hours(1)),
      server_(std::make_unique<FakeBedrock>(
          [this](const FakeRequest& request, FakePeer& peer) { serve(request, peer); })) {}

std::string FakeAws::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port()) + std::string(path);
}

void FakeAws::answer_with(std::string bytes) {
  const std::lock_guard lock(mutex_);
  instead_ = std::move(bytes);
}

std::size_t FakeAws::count(std::string_view what) const {
  const auto requests = server_->requests();
  return static_cast<std::size_t>(
      std::count_if(requests.begin(), requests.end(), [what](const FakeRequest& request) {
        return request.target() == what || parameter(request.body, "Action") == what;
      }));
}

void FakeAws::serve(const FakeRequest& request, FakePeer& peer) {
  std::string bytes;
  {
    const std::lock_guard lock(mutex_);
    bytes = instead_;
  }
  if (bytes.empty()) bytes = answer_to(request);
  if (bytes == "hang") return peer.hang();
  peer.send(bytes);
}

std::string FakeAws::expiration() const {
  return proxy::aws::format_timestamp(proxy::WallTime(expires_.load()));
}

std::string FakeAws::answer_to(const FakeRequest& request) const {
  const std::string target = request.target();
  constexpr std::string_view kRoles = "/latest/meta-data/iam/security-credentials/";
  if (request.method() == "POST" && target == "/") return sts(request);
  if (request.method() == "PUT" && target == "/latest/api/token") return answer("IMDS-TOKEN");
  if (target.starts_with(kRoles)) {
    if (request.field("x-aws-ec2-metadata-token") != "IMDS-TOKEN") return answer("", "401 No");
    if (target == kRoles) return answer("web-role");
    return metadata("IMDS." + target.substr(kRoles.size()), expiration());
  }
  if (target.starts_with("/container")) {
    return metadata("CONTAINER." + request.field("authorization"), expiration());
  }
  if (target.starts_with("/federation/credentials")) {
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(expires_.load()).count();
    return answer("{\"roleCredentials\":{\"accessKeyId\":\"SSO." + parameter(target, "role_name") +
                  "." + request.field("x-amz-sso_bearer_token") +
                  "\",\"secretAccessKey\":\"secret\",\"sessionToken\":\"token\",\"expiration\":" +
                  std::to_string(milliseconds) + "}}");
  }
  if (target == "/token")
    return answer(R"({"accessToken":"renewed","expiresIn":28800,"refreshToken":"refresh2"})");
  return answer("<html>nothing here</html>", "404 Not Found");
}

std::string FakeAws::sts(const FakeRequest& request) const {
  const std::string action = parameter(request.body, "Action");
  const std::string authorization = request.field("authorization");
  std::string by = parameter(request.body, "WebIdentityToken");
  if (const std::size_t at = authorization.find("Credential="); at != std::string::npos)
    by = authorization.substr(at + 11, authorization.find('/', at) - at - 11);
  const std::string id = "STS." + role_of(parameter(request.body, "RoleArn")) + ".by." + by;
  return answer("<" + action +
                "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <" + action +
                "Result>\n    <Credentials>\n      <AccessKeyId>" + id +
                "</AccessKeyId>\n      <SecretAccessKey>secret</SecretAccessKey>\n      "
                "<SessionToken>token&amp;more</SessionToken>\n      <Expiration>" +
                expiration() + "</Expiration>\n    </Credentials>\n  </" + action + "Result>\n</" +
                action + "Response>");
}

}  // namespace understudy::testing_support
