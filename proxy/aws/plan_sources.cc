#include "proxy/aws/plan_sources.h"

#include <algorithm>
#include <array>

#include "proxy/aws/digest.h"
#include "proxy/aws/endpoints.h"
#include "proxy/aws/timestamp.h"
#include "routing/config_values.h"

namespace understudy::proxy::aws {
namespace {

constexpr std::string_view kSessionName = "understudy";  // in CloudTrail, unless it is set

std::string first_variable(const Environment& environment,
                           std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (std::string value = variable(environment, name); !value.empty()) return value;
  }
  return {};
}

std::string or_else(std::string value, std::string other) {
  return value.empty() ? std::move(other) : std::move(value);
}

// `path` begins at the file system's root, or the home directory's "~": a proxy has no meaningful
// working directory.
std::filesystem::path file_path(std::string path, const Environment& environment) {
  return expand_home(std::move(path), environment);
}

bool may_be_asked(const routing::Endpoint& endpoint) {
  constexpr std::array<std::string_view, 3> kContainerHosts{"169.254.170.2", "169.254.170.23",
                                                            "[fd00:ec2::23]"};
  return endpoint.tls || routing::is_loopback(endpoint.host) ||
         std::find(kContainerHosts.begin(), kContainerHosts.end(), endpoint.host) !=
             kContainerHosts.end();
}

bool lower_equals(std::string text, std::string_view wanted) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text == wanted;
}

// The profile's own keys with the session's, which must not contradict each other.
Result<IniSection> with_session(const AwsProfile& profile, const AwsFiles& files) {
  IniSection merged = profile.config;
  for (const auto& [key, value] : profile.credentials) merged[key] = value;
  const std::string name = profile.value("sso_session");
  if (name.empty()) return merged;
  const auto session = files.sso_session(name);
  if (!session) {
    return credentials_error(profile.origin() + " names sso_session \"" + name +
                             "\", but there is no [sso-session " + name + "] in " +
                             files.config_path.string());
  }
  for (const auto& [key, value] : *session) {
    const auto [entry, is_new] = merged.try_emplace(key, value);
    if (!is_new && entry->second != value) {
      return credentials_error(profile.origin() + " and [sso-session " + name +
                               "] contradict each other about " + key);
    }
  }
  return merged;
}

}  // namespace

FoundSource fixed(Credentials credentials, std::string origin) {
  return {FixedSource{std::move(credentials)}, std::move(origin)};
}

AssumedRole assumed_role(std::string arn, std::string external_id, std::string session_name,
                         std::chrono::seconds duration) {
  return {std::move(arn), std::move(external_id),
          or_else(std::move(session_name), std::string(kSessionName)), duration};
}

MaybeSource environment_keys(const Environment& environment) {
  const std::string origin = "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)";
  std::string id = variable(environment, "AWS_ACCESS_KEY_ID");
  std::string secret = variable(environment, "AWS_SECRET_ACCESS_KEY");
  if (id.empty() && secret.empty()) return std::optional<FoundSource>();
  auto keys =
      make_keys(std::move(id), std::move(secret),
                first_variable(environment, {"AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}), origin);
  if (!keys) return keys.error();
  const std::string expires = variable(environment, "AWS_CREDENTIAL_EXPIRATION");
  if (!expires.empty()) {
    keys->expires = parse_timestamp(expires);
    if (!keys->expires)
      return credentials_error("AWS_CREDENTIAL_EXPIRATION is not a time like 2026-11-21T03:20:00Z");
  }
  return std::optional(fixed(std::move(*keys), origin));
}

MaybeSource web_identity(const Environment& environment, const AwsProfile* fallback) {
  const auto get = [&](std::string_view name, std::string_view key) {
    return or_else(variable(environment, name), fallback ? fallback->value(key) : std::string());
  };
  const std::string file = get("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
  if (file.empty()) return std::optional<FoundSource>();
  std::string role = get("AWS_ROLE_ARN", "role_arn");
  if (role.empty()) {
    return credentials_error(
        "web identity has a token file but no role: set AWS_ROLE_ARN, or role_arn in the profile");
  }
  std::string origin = "role " + role + " by web identity (" + file + ")";
  return std::optional(FoundSource{
      WebIdentitySource{.token_file = file_path(file, environment),
                        .role_arn = std::move(role),
                        .session_name = or_else(get("AWS_ROLE_SESSION_NAME", "role_session_name"),
                                                std::string(kSessionName))},
      std::move(origin)});
}

MaybeSource profile_web_identity(const AwsProfile& profile) {
  return web_identity([](std::string_view) { return std::optional<std::string>(); }, &profile);
}

MaybeSource container(const Environment& environment) {
  const std::string relative = variable(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const std::string full = variable(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.empty() && full.empty()) return std::optional<FoundSource>();
  const std::string_view name = relative.empty() ? "AWS_CONTAINER_CREDENTIALS_FULL_URI"
                                                 : "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
  if (!relative.empty() && !relative.starts_with('/'))
    return credentials_error(std::string(name) + " must begin with a slash");
  auto url = split_url(relative.empty() ? full : "http://169.254.170.2" + relative, name);
  if (!url) return url.error();
  if (!may_be_asked(url->endpoint)) {
    return credentials_error(
        std::string(name) +
        " names a host that is not asked for credentials: it must be https://, this machine, "
        "169.254.170.2, 169.254.170.23 or [fd00:ec2::23]");
  }
  const std::string file = variable(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  std::string token =
      file.empty() ? variable(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN") : std::string();
  if (!std::all_of(token.begin(), token.end(), [](char c) { return c >= ' ' && c < '\x7f'; })) {
    return credentials_error(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN holds line ends or bytes that no header may");
  }
  std::string origin =
      "container endpoint " + url_of(url->endpoint) + " (" + std::string(name) + ")";
  return std::optional(FoundSource{ContainerSource{.endpoint = std::move(url->endpoint),
                                                   .target = std::move(url->target),
                                                   .token_file = file_path(file, environment),
                                                   .token = Secret(std::move(token))},
                                   std::move(origin)});
}

MaybeSource instance_metadata(const Environment& environment) {
  if (lower_equals(variable(environment, "AWS_EC2_METADATA_DISABLED"), "true"))
    return std::optional<FoundSource>();
  std::string url = variable(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  const bool v6 =
      lower_equals(variable(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6");
  if (url.empty()) url = v6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  auto parsed = routing::parse_endpoint(url);
  if (!parsed.value)
    return credentials_error("AWS_EC2_METADATA_SERVICE_ENDPOINT " + parsed.problem);
  std::string origin = "instance metadata service " + url_of(*parsed.value);
  return std::optional(FoundSource{ImdsSource{std::move(*parsed.value)}, std::move(origin)});
}

MaybeSource single_sign_on(const AwsProfile& profile, const AwsFiles& files,
                           const Environment& environment) {
  if (!profile.has("sso_account_id") && !profile.has("sso_role_name"))
    return std::optional<FoundSource>();
  const auto merged = with_session(profile, files);
  if (!merged) return merged.error();
  for (const std::string_view key :
       {"sso_account_id", "sso_role_name", "sso_start_url", "sso_region"}) {
    if (value_of(*merged, key).empty())
      return credentials_error(profile.origin() + " uses single sign-on but lacks " +
                               std::string(key));
  }
  const auto region = routing::parse_region(value_of(*merged, "sso_region"));
  if (!region.value) return credentials_error(profile.origin() + ": sso_region is no region");
  const std::string session = profile.value("sso_session");
  SsoSource source;
  source.may_renew = !session.empty();
  source.start_url = value_of(*merged, "sso_start_url");
  source.region = *region.value;
  source.account_id = value_of(*merged, "sso_account_id");
  source.role_name = value_of(*merged, "sso_role_name");
  source.token_file = expand_home(
      "~/.aws/sso/cache/" + sha1_hex(session.empty() ? source.start_url : session) + ".json",
      environment);
  auto portal = service_endpoint("portal.sso", source.region, "AWS_ENDPOINT_URL_SSO", environment);
  if (!portal) return portal.error();
  auto oidc = service_endpoint("oidc", source.region, "AWS_ENDPOINT_URL_SSO_OIDC", environment);
  if (!oidc) return oidc.error();
  source.portal = std::move(*portal);
  source.oidc = std::move(*oidc);
  std::string origin =
      profile.origin() + ": single sign-on, role " + source.role_name + " of " + source.account_id;
  return std::optional(FoundSource{std::move(source), std::move(origin)});
}

}  // namespace understudy::proxy::aws
