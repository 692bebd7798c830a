// IAM Identity Center: the cached token of `aws sso login`, renewed by its refresh token where the
// profile names an sso-session, exchanged at the portal for a role's credentials.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "proxy/aws/answers.h"
#include "proxy/aws/ask.h"
#include "proxy/aws/refresh_policy.h"
#include "proxy/aws/timestamp.h"
#include "proxy/log.h"
#include "proxy/read_file.h"

namespace understudy::proxy::aws {
namespace {

namespace asio = boost::asio;
using nlohmann::json;

constexpr std::size_t kMaxTokenBytes = 64u << 10;

Error log_in_again(const SsoSource& source, std::string_view why) {
  return credentials_error("single sign-on at " + source.start_url + ": " + std::string(why) +
                           "; run `aws sso login`");
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ::ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// In place of the old one in one step, for its owner's eyes alone (mkstemp makes files of mode
// 0600): the SDKs and the AWS CLI read it too.
void save(const std::filesystem::path& path, const json& token) {
  std::string temporary = path.string() + ".XXXXXX";
  const int file = ::mkstemp(temporary.data());
  const bool written =
      file >= 0 && write_all(file, token.dump(-1, ' ', false, json::error_handler_t::replace));
  if (file >= 0) ::close(file);
  if (written && ::rename(temporary.c_str(), path.c_str()) == 0) return;
  if (file >= 0) ::unlink(temporary.c_str());
  // The old refresh token may be worth nothing now: people will have to log in sooner.
  log_warn("sso_token_not_saved", {{"file", path.native()}});
}

json as_cached(const SsoSource& source, const SsoToken& token) {
  return {{"startUrl", source.start_url},
          {"region", source.region},
          {"accessToken", token.access_token.reveal()},
          {"expiresAt", format_timestamp(token.expires)},
          {"clientId", token.client_id},
          {"clientSecret", token.client_secret.reveal()},
          {"registrationExpiresAt", token.registration_expires_text},
          {"refreshToken", token.refresh_token.reveal()}};
}

bool can_renew(const SsoSource& source, const SsoToken& token, WallTime now) {
  return source.may_renew && !token.refresh_token.empty() && !token.client_id.empty() &&
         !token.client_secret.empty() && token.registration_expires &&
         *token.registration_expires > now;
}

Task<Result<SsoToken>> renewed(FetchThread& thread, const CredentialPlan& plan,
                               const SsoSource& source, SsoToken token) {
  Question question{.endpoint = source.oidc, .method = "POST", .target = "/token"};
  question.content_type = "application/json";
  question.body = json{{"grantType", "refresh_token"},
                       {"clientId", token.client_id},
                       {"clientSecret", token.client_secret.reveal()},
                       {"refreshToken", token.refresh_token.reveal()}}
                      .dump(-1, ' ', false, json::error_handler_t::replace);
  const auto answer = co_await ask(thread, plan, std::move(question));
  if (!answer) co_return answer.error();
  if (answer->status != 200) co_return refused(source.oidc, *answer);
  auto renewal = read_sso_renewal(answer->body);
  if (!renewal) co_return renewal.error();
  token.access_token = std::move(renewal->access_token);
  token.expires = thread.now() + renewal->expires_in;
  if (!renewal->refresh_token.empty()) token.refresh_token = std::move(renewal->refresh_token);
  save(source.token_file, as_cached(source, token));
  co_return token;
}

Task<Result<SsoToken>> valid_token(FetchThread& thread, const CredentialPlan& plan,
                                   const SsoSource& source) {
  const auto text = read_file(source.token_file, kMaxTokenBytes);
  if (!text) co_return log_in_again(source, "there is no token in the cache");
  auto token = read_sso_token(*text);
  if (!token) co_return log_in_again(source, token.error().context);
  const WallTime now = thread.now();
  if (token->expires - now < kAdvisory && can_renew(source, *token, now)) {
    auto fresh = co_await renewed(thread, plan, source, *token);
    // The old one is good while it lasts.
    if (fresh || token->expires <= now) co_return fresh;
  }
  if (token->expires <= now) co_return log_in_again(source, "the token has ended");
  co_return token;
}

}  // namespace

Task<Result<Credentials>> fetch_by_single_sign_on(FetchThread& thread, const CredentialPlan& plan,
                                                  const SsoSource& source) {
  const auto token = co_await valid_token(thread, plan, source);
  if (!token) co_return token.error();
  Question question{.endpoint = source.portal,
                    .target = "/federation/credentials?role_name=" + encoded(source.role_name) +
                              "&account_id=" + encoded(source.account_id)};
  question.fields.emplace_back("x-amz-sso_bearer_token", token->access_token.reveal());
  const auto answer = co_await ask(thread, plan, std::move(question));
  if (!answer) co_return answer.error();
  if (answer->status == 401) co_return log_in_again(source, "the portal refuses the token");
  if (answer->status != 200) co_return refused(source.portal, *answer);
  co_return read_sso_answer(answer->body);
}

}  // namespace understudy::proxy::aws
