#pragma once
// Credentials out of what the sources answer: bytes from outside, of any kind. An error names what
// was missing and never quotes an answer. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/credentials.h"
#include "proxy/error.h"

namespace understudy::proxy::aws {

// {"Version": 1, "AccessKeyId", "SecretAccessKey", "SessionToken"?, "Expiration"?}
Result<Credentials> read_process_answer(std::string_view json);
// {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}: container endpoints, instance
// metadata.
Result<Credentials> read_metadata_answer(std::string_view json);
// {"roleCredentials": {"accessKeyId", "secretAccessKey", "sessionToken", "expiration": ms}}
Result<Credentials> read_sso_answer(std::string_view json);
// <{action}Response><{action}Result><Credentials>..., of STS.
Result<Credentials> read_sts_answer(std::string_view xml, std::string_view action);
// The code in STS's error answer ("AccessDenied"), as far as it is a plain word; else empty.
std::string read_sts_error(std::string_view xml);

// The token cache of single sign-on.
struct SsoToken {
  Secret access_token;
  WallTime expires;
  // What it takes to renew it; empty where the cache has none.
  Secret refresh_token, client_secret;
  std::string client_id;
  std::optional<WallTime> registration_expires;
  std::string registration_expires_text;  // as written, to be written back
};
Result<SsoToken> read_sso_token(std::string_view json);
// The answer of the OIDC service to a refresh token.
struct SsoRenewal {
  Secret access_token;
  std::chrono::seconds expires_in{0};
  Secret refresh_token;  // empty: the old one stays
};
Result<SsoRenewal> read_sso_renewal(std::string_view json);

}  // namespace understudy::proxy::aws
