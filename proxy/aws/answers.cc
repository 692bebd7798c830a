#include "proxy/aws/answers.h"

#include <algorithm>
#include <array>

#include "metrics/json_reader.h"
#include "proxy/aws/timestamp.h"
#include "proxy/aws/xml_text.h"

namespace understudy::proxy::aws {
namespace {

using metrics::Json;
using metrics::JsonParser;

Error garbage(std::string what) {
  return {ErrorKind::bad_message, Side::upstream, std::move(what)};
}

Error lacks(std::string_view what) {
  return garbage("the answer has no " + std::string(what));
}

// make_keys() tells what is wrong with keys; that they came from outside is what a metric wants.
Result<Credentials> answered_keys(std::string id, std::string secret, std::string token) {
  auto keys = make_keys(std::move(id), std::move(secret), std::move(token), "the answer");
  if (!keys) return garbage(keys.error().context);
  return keys;
}

std::string text_at(Json json, std::string_view key) {
  return std::string(metrics::string_at(json, key).value_or(""));
}

std::optional<Json> parse_object(JsonParser& parser, std::string_view text) {
  const auto json = parser.parse(text);
  return json && metrics::is_object(*json) ? json : std::nullopt;
}

Error no_json() {
  return garbage("the answer is no JSON object");
}

}  // namespace

Result<Credentials> read_process_answer(std::string_view text) {
  JsonParser parser;
  const auto json = parse_object(parser, text);
  if (!json) return no_json();
  if (metrics::count_at(*json, "Version") != 1) return garbage("the answer's Version is not 1");
  auto keys = answered_keys(text_at(*json, "AccessKeyId"), text_at(*json, "SecretAccessKey"),
                            text_at(*json, "SessionToken"));
  if (!keys) return keys;
  if (!metrics::member(*json, "Expiration")) return keys;
  keys->expires = parse_timestamp(text_at(*json, "Expiration"));
  if (!keys->expires) return garbage("the answer's Expiration is no time");
  return keys;
}

Result<Credentials> read_metadata_answer(std::string_view text) {
  JsonParser parser;
  const auto json = parse_object(parser, text);
  if (!json) return no_json();
  for (const std::string_view key : {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}) {
    if (text_at(*json, key).empty()) return lacks(key);
  }
  auto keys = answered_keys(text_at(*json, "AccessKeyId"), text_at(*json, "SecretAccessKey"),
                            text_at(*json, "Token"));
  if (!keys) return keys;
  keys->expires = parse_timestamp(text_at(*json, "Expiration"));
  if (!keys->expires) return garbage("the answer's Expiration is no time");
  return keys;
}

Result<Credentials> read_sso_answer(std::string_view text) {
  JsonParser parser;
  const auto json = parse_object(parser, text);
  if (!json) return no_json();
  const auto role = metrics::member(*json, "roleCredentials");
  if (!role || !metrics::is_object(*role)) return lacks("roleCredentials");
  auto keys = answered_keys(text_at(*role, "accessKeyId"), text_at(*role, "secretAccessKey"),
                            text_at(*role, "sessionToken"));
  if (!keys) return keys;
  constexpr std::int64_t kMostMilliseconds = 9'000'000'000'000;  // in the year 2255
  const auto expires = metrics::integer_at(*role, "expiration");
  if (!expires || *expires < 0 || *expires > kMostMilliseconds) return lacks("expiration");
  keys->expires = WallTime(std::chrono::milliseconds(*expires));
  return keys;
}

Result<Credentials> read_sts_answer(std::string_view xml, std::string_view action) {
  const std::string response = std::string(action) + "Response";
  const std::string result = std::string(action) + "Result";
  const auto text = [&](std::string_view name) {
    return xml_text(xml, {response, result, "Credentials", name}).value_or("");
  };
  const std::string token = text("SessionToken");
  const std::string expiration = text("Expiration");
  if (token.empty() || expiration.empty()) return garbage("the answer is not STS's " + response);
  auto keys = answered_keys(text("AccessKeyId"), text("SecretAccessKey"), token);
  if (!keys) return keys;
  keys->expires = parse_timestamp(expiration);
  if (!keys->expires) return garbage("the answer's Expiration is no time");
  return keys;
}

std::string read_sts_error(std::string_view xml) {
  std::string code = xml_text(xml, {"ErrorResponse", "Error", "Code"}).value_or("");
  const bool plain = code.size() <= 64 && std::all_of(code.begin(), code.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
                     });
  return plain ? code : std::string();
}

Result<SsoToken> read_sso_token(std::string_view text) {
  JsonParser parser;
  const auto json = parse_object(parser, text);
  if (!json) return garbage("the cached token is no JSON object");
  const auto expires = parse_timestamp(text_at(*json, "expiresAt"));
  auto token = make_bearer(text_at(*json, "accessToken"), "the cache");
  if (!token || !expires) return garbage("the cached token has no fit accessToken or expiresAt");
  SsoToken read{.access_token = token->token,
                .expires = *expires,
                .refresh_token = Secret(text_at(*json, "refreshToken")),
                .client_secret = Secret(text_at(*json, "clientSecret")),
                .client_id = text_at(*json, "clientId"),
                .registration_expires = {},
                .registration_expires_text = text_at(*json, "registrationExpiresAt")};
  read.registration_expires = parse_timestamp(read.registration_expires_text);
  return read;
}

Result<SsoRenewal> read_sso_renewal(std::string_view text) {
  JsonParser parser;
  const auto json = parse_object(parser, text);
  if (!json) return no_json();
  const auto seconds = metrics::count_at(*json, "expiresIn");
  auto token = make_bearer(text_at(*json, "accessToken"), "the answer");
  constexpr std::int64_t kMostSeconds = 10 * 366 * 86'400;
  if (!token || !seconds || *seconds > kMostSeconds) return lacks("accessToken or expiresIn");
  return SsoRenewal{.access_token = token->token,
                    .expires_in = std::chrono::seconds(*seconds),
                    .refresh_token = Secret(text_at(*json, "refreshToken"))};
}

}  // namespace understudy::proxy::aws
