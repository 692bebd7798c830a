#include "proxy/credentials.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "metrics/base64.h"
#include "proxy/aws/timestamp.h"

namespace understudy::proxy {
namespace {

// Keys and tokens are printable ASCII without spaces. Anything else would break the header that
// carries them (a CR or LF would even add one), and is mostly a line end that came along from a
// file.
bool is_clean(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

Error unclean(std::string_view what, const std::string& origin) {
  return credentials_error(std::string(what) + " from " + origin +
                           " holds a space, a line end, a control character or a byte outside "
                           "ASCII");
}

std::string_view query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

}  // namespace

Error credentials_error(std::string context) {
  return {.kind = ErrorKind::credentials, .side = Side::internal, .context = std::move(context)};
}

Result<Credentials> make_keys(std::string id, std::string secret, std::string session_token,
                              const std::string& origin) {
  if (id.empty()) return credentials_error("no access key id in " + origin);
  if (secret.empty()) return credentials_error("no secret access key in " + origin);
  // The id stands between separators in "Credential=ID/DATE/...,".
  if (!is_clean(id) || id.find_first_of("/,") != std::string::npos) {
    return unclean("the access key id", origin);
  }
  if (!is_clean(secret)) return unclean("the secret access key", origin);
  if (!is_clean(session_token)) return unclean("the session token", origin);
  return Credentials{.kind = Credentials::Kind::sigv4,
                     .keys = {.access_key_id = std::move(id),
                              .secret_access_key = Secret(std::move(secret)),
                              .session_token = Secret(std::move(session_token))}};
}

Result<Credentials> make_bearer(std::string token, const std::string& origin) {
  if (token.empty()) return credentials_error("no bearer token in " + origin);
  if (!is_clean(token)) return unclean("the bearer token", origin);
  const auto expires = bearer_expiry(token);
  return Credentials{
      .kind = Credentials::Kind::bearer, .token = Secret(std::move(token)), .expires = expires};
}

std::optional<WallTime> bearer_expiry(std::string_view token) {
  constexpr std::string_view kShortTerm = "bedrock-api-key-";
  if (!token.starts_with(kShortTerm)) return std::nullopt;
  const auto text = metrics::decode_base64(token.substr(kShortTerm.size()));
  if (!text) return std::nullopt;
  const std::string_view url = *text;
  const std::string_view query = url.substr(std::min(url.find('?'), url.size() - 1) + 1);
  const auto begin = aws::parse_timestamp(query_value(query, "X-Amz-Date"));
  const auto seconds = aws::parse_seconds(query_value(query, "X-Amz-Expires"));
  if (!begin || !seconds) return std::nullopt;
  return *begin + *seconds;
}

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

std::string variable(const Environment& environment, std::string_view name) {
  return environment(name).value_or("");
}

}  // namespace understudy::proxy
