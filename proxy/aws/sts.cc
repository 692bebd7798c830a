// STS, version 2011-06-15: form bodies, XML answers. The answer of AssumeRole and its kin is in
// AWS's API reference; what is sent is what botocore sends.

#include "proxy/aws/answers.h"
#include "proxy/aws/ask.h"

namespace understudy::proxy::aws {
namespace {

Task<Result<Credentials>> ask_sts(FetchThread& thread, const CredentialPlan& plan,
                                  std::string_view action, std::string parameters,
                                  std::optional<AwsKeys> keys) {
  Question question{.endpoint = plan.sts, .method = "POST", .target = "/"};
  question.content_type = "application/x-www-form-urlencoded; charset=utf-8";
  question.body.append("Action=").append(action).append("&Version=2011-06-15").append(parameters);
  question.sts_keys = std::move(keys);
  const auto answer = co_await ask(thread, plan, std::move(question));
  if (!answer) co_return answer.error();
  if (answer->status != 200) co_return refused(plan.sts, *answer, read_sts_error(answer->body));
  co_return read_sts_answer(answer->body, action);
}

std::string parameter(std::string_view name, std::string_view value) {
  return value.empty() ? std::string() : "&" + std::string(name) + "=" + encoded(value);
}

}  // namespace

Task<Result<Credentials>> assume_role(FetchThread& thread, const CredentialPlan& plan,
                                      const AssumedRole& role, AwsKeys keys) {
  const std::string seconds =
      role.duration.count() == 0 ? std::string() : std::to_string(role.duration.count());
  std::string parameters =
      parameter("RoleArn", role.arn) + parameter("RoleSessionName", role.session_name) +
      parameter("DurationSeconds", seconds) + parameter("ExternalId", role.external_id);
  auto fetched =
      co_await ask_sts(thread, plan, "AssumeRole", std::move(parameters), std::move(keys));
  if (fetched) co_return fetched;
  co_return Error{fetched.error().kind, fetched.error().side,
                  "assume role " + role.arn + ": " + fetched.error().context};
}

Task<Result<Credentials>> fetch_by_web_identity(FetchThread& thread, const CredentialPlan& plan,
                                                const WebIdentitySource& source) {
  // Read at every fetch: the kubelet replaces it.
  const auto token = read_token_file(source.token_file);
  if (!token) co_return token.error();
  std::string parameters = parameter("RoleArn", source.role_arn) +
                           parameter("RoleSessionName", source.session_name) +
                           parameter("WebIdentityToken", *token);
  co_return co_await ask_sts(thread, plan, "AssumeRoleWithWebIdentity", std::move(parameters),
                             std::nullopt);
}

}  // namespace understudy::proxy::aws
