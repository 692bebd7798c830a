// The instance metadata service, version 2: a session token by PUT, the role's name, its
// credentials. Version 1 is not asked: it is open to whoever can make us send a GET.

#include <algorithm>

#include "proxy/aws/answers.h"
#include "proxy/aws/ask.h"
#include "proxy/aws/endpoints.h"
#include "proxy/aws/refresh_policy.h"

namespace understudy::proxy::aws {
namespace {

constexpr std::string_view kRolePath = "/latest/meta-data/iam/security-credentials/";

Task<Result<std::string>> get(FetchThread& thread, const CredentialPlan& plan,
                              const ImdsSource& source, std::string target, std::string token) {
  Question question{.endpoint = source.endpoint, .target = std::move(target)};
  question.fields.emplace_back("x-aws-ec2-metadata-token", std::move(token));
  auto answer = co_await ask(thread, plan, std::move(question));
  if (!answer) co_return answer.error();
  if (answer->status == 200) co_return std::move(answer->body);
  Error error = refused(source.endpoint, *answer);
  if (answer->status == 404) error.context += " (the instance has no role)";
  co_return error;
}

Task<Result<std::string>> session_token(FetchThread& thread, const CredentialPlan& plan,
                                        const ImdsSource& source) {
  Question question{.endpoint = source.endpoint, .method = "PUT", .target = "/latest/api/token"};
  question.fields.emplace_back("x-aws-ec2-metadata-token-ttl-seconds", "21600");
  auto answer = co_await ask(thread, plan, std::move(question));
  if (!answer) co_return answer.error();
  if (answer->status != 200) co_return refused(source.endpoint, *answer, "to the token request");
  auto token = make_bearer(std::move(answer->body), "the instance metadata service");
  if (!token) {
    co_return Error{ErrorKind::bad_message, Side::upstream,
                    url_of(source.endpoint) + ": its session token is not fit for a header"};
  }
  co_return token->token.reveal();
}

// The first line; names of roles are [\w+=,.@-]{1,64}.
Result<std::string> role_name(std::string_view text, const ImdsSource& source) {
  text = text.substr(0, text.find_first_of("\r\n"));
  const bool fit =
      !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("_+=,.@-").find(c) != std::string_view::npos;
      });
  if (fit) return std::string(text);
  return Error{ErrorKind::bad_message, Side::upstream,
               url_of(source.endpoint) + ": what it names is no role"};
}

}  // namespace

Task<Result<Credentials>> fetch_from_imds(FetchThread& thread, const CredentialPlan& plan,
                                          const ImdsSource& source) {
  const auto token = co_await session_token(thread, plan, source);
  if (!token) co_return token.error();
  const auto listed = co_await get(thread, plan, source, std::string(kRolePath), *token);
  if (!listed) co_return listed.error();
  const auto role = role_name(*listed, source);
  if (!role) co_return role.error();
  const auto body =
      co_await get(thread, plan, source, std::string(kRolePath) + encoded(*role), *token);
  if (!body) co_return body.error();
  auto credentials = read_metadata_answer(*body);
  if (credentials && credentials->expires) {
    credentials->expires = extended_expiry(thread.now(), *credentials->expires, thread.random());
  }
  co_return credentials;
}

}  // namespace understudy::proxy::aws
