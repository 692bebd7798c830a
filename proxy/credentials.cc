#include "proxy/credentials.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "proxy/aws_profiles.h"

namespace understudy::proxy {
namespace {

using routing::CredentialsConfig;
using LoadResult = Result<std::shared_ptr<const Credentials>>;

Error problem(std::string context) {
  return {.kind = ErrorKind::credentials, .side = Side::internal, .context = std::move(context)};
}

// Keys and tokens are printable ASCII without spaces. Anything else would break the header that
// carries them (a CR or LF would even add one), and is mostly a line end that came along from a
// file.
bool is_clean(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

Error unclean(std::string_view what, const std::string& origin) {
  return problem(std::string(what) + " from " + origin +
                 " holds a space, a line end, a control character or a byte outside ASCII");
}

LoadResult finished(Credentials credentials) {
  return LoadResult(std::make_shared<const Credentials>(std::move(credentials)));
}

LoadResult keys_credentials(std::string id, std::string secret, std::string session_token,
                            std::string origin) {
  if (id.empty()) return problem("no access key id in " + origin);
  if (secret.empty()) return problem("no secret access key in " + origin);
  // The id stands between separators in "Credential=ID/DATE/...,".
  if (!is_clean(id) || id.find_first_of("/,") != std::string::npos) {
    return unclean("the access key id", origin);
  }
  if (!is_clean(secret)) return unclean("the secret access key", origin);
  if (!is_clean(session_token)) return unclean("the session token", origin);
  return finished({.kind = Credentials::Kind::sigv4,
                   .keys = {.access_key_id = std::move(id),
                            .secret_access_key = Secret(std::move(secret)),
                            .session_token = Secret(std::move(session_token))},
                   .token = {},
                   .origin = std::move(origin)});
}

LoadResult bearer_credentials(std::string token, std::string origin) {
  if (token.empty()) return problem("no bearer token in " + origin);
  if (!is_clean(token)) return unclean("the bearer token", origin);
  return finished({.kind = Credentials::Kind::bearer,
                   .keys = {},
                   .token = Secret(std::move(token)),
                   .origin = std::move(origin)});
}

// A variable that is set to nothing counts as not set, as in the SDKs.
std::string variable(const Environment& environment, std::string_view name) {
  return environment(name).value_or("");
}

std::string first_variable(const Environment& environment,
                           std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (std::string value = variable(environment, name); !value.empty()) return value;
  }
  return {};
}

// Where `name` says, or `standard` below the home directory; "~" at the front of either is the home
// directory.
std::filesystem::path file_path(const Environment& environment, std::string_view name,
                                std::string_view standard) {
  std::string path = variable(environment, name);
  if (path.empty()) path = standard;
  if (path == "~" || path.starts_with("~/")) path.replace(0, 1, variable(environment, "HOME"));
  return path;
}

std::string value_of(const IniSection& section, std::string_view key) {
  const auto entry = section.find(key);
  return entry == section.end() ? std::string() : entry->second;
}

struct Profile {
  std::string name;
  std::filesystem::path config_path, credentials_path;
  bool exists = false;
  IniSection config, credentials;  // its section in each file

  std::string origin() const { return "profile \"" + name + "\""; }
  std::string files() const { return config_path.string() + " and " + credentials_path.string(); }
  bool has(std::string_view key) const {
    return !value_of(config, key).empty() || !value_of(credentials, key).empty();
  }
};

Result<Profile> read_profile(std::string name, const Environment& environment) {
  Profile profile{.name = std::move(name),
                  .config_path = file_path(environment, "AWS_CONFIG_FILE", "~/.aws/config"),
                  .credentials_path =
                      file_path(environment, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
                  .config = {},
                  .credentials = {}};
  Result<IniFile> config = read_ini(profile.config_path);
  if (!config) return config.error();
  Result<IniFile> credentials = read_ini(profile.credentials_path);
  if (!credentials) return credentials.error();
  for (auto& [header, section] : *config) {
    if (profile_of_section(header) != profile.name) continue;
    profile.config = std::move(section);
    profile.exists = true;
  }
  if (const auto found = credentials->find(profile.name); found != credentials->end()) {
    profile.credentials = std::move(found->second);
    profile.exists = true;
  }
  return profile;
}

Error unsupported(const Profile& profile, std::string_view key) {
  return problem(profile.origin() + " asks for " + std::string(key) +
                 ", which this version does not support: use access keys, environment variables "
                 "or a bearer token");
}

LoadResult section_keys(const Profile& profile, const IniSection& section,
                        const std::filesystem::path& path) {
  return keys_credentials(
      value_of(section, "aws_access_key_id"), value_of(section, "aws_secret_access_key"),
      value_of(section, "aws_session_token"), profile.origin() + " of " + path.string());
}

bool has_keys(const IniSection& section) {
  return section.contains("aws_access_key_id") || section.contains("aws_secret_access_key");
}

// The order is botocore's; a source that we lack ends it where botocore would have used that
// source.
LoadResult profile_credentials(const Profile& profile) {
  for (const std::string_view key :
       {"role_arn", "web_identity_token_file", "sso_session", "sso_account_id", "sso_role_name"}) {
    if (profile.has(key)) return unsupported(profile, key);
  }
  if (has_keys(profile.credentials)) {
    return section_keys(profile, profile.credentials, profile.credentials_path);
  }
  for (const std::string_view key : {"login_session", "credential_process"}) {
    if (profile.has(key)) return unsupported(profile, key);
  }
  if (has_keys(profile.config)) return section_keys(profile, profile.config, profile.config_path);
  return problem(profile.origin() + " has no access keys (looked in " + profile.files() + ")");
}

std::string chosen_profile(const Environment& environment) {
  return first_variable(environment, {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"});
}

LoadResult named_profile(const std::string& name, const Environment& environment) {
  const Result<Profile> profile = read_profile(name, environment);
  if (!profile) return profile.error();
  if (!profile->exists) {
    return problem("there is no " + profile->origin() + " (looked in " + profile->files() + ")");
  }
  return profile_credentials(*profile);
}

// The end of the default chain: the default profile, which need not exist.
LoadResult default_profile(const Environment& environment) {
  const Result<Profile> profile = read_profile("default", environment);
  if (!profile) return profile.error();
  if (profile->exists) return profile_credentials(*profile);
  for (const std::string_view name :
       {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}) {
    if (!variable(environment, name).empty()) {
      return problem(std::string(name) +
                     " is set, and this version cannot fetch credentials from a container service");
    }
  }
  return problem(
      "no credentials found: set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and "
      "AWS_SECRET_ACCESS_KEY, or a profile in " +
      profile->files());
}

LoadResult default_chain(const Environment& environment) {
  if (std::string token = variable(environment, "AWS_BEARER_TOKEN_BEDROCK"); !token.empty()) {
    return bearer_credentials(std::move(token), "environment (AWS_BEARER_TOKEN_BEDROCK)");
  }
  std::string id = variable(environment, "AWS_ACCESS_KEY_ID");
  std::string secret = variable(environment, "AWS_SECRET_ACCESS_KEY");
  if (!id.empty() || !secret.empty()) {
    return keys_credentials(
        std::move(id), std::move(secret),
        first_variable(environment, {"AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}),
        "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)");
  }
  if (!variable(environment, "AWS_WEB_IDENTITY_TOKEN_FILE").empty()) {
    return problem(
        "AWS_WEB_IDENTITY_TOKEN_FILE is set, and this version cannot assume a role by web "
        "identity");
  }
  const std::string name = chosen_profile(environment);
  return name.empty() ? default_profile(environment) : named_profile(name, environment);
}

LoadResult configured_bearer(const CredentialsConfig& config, const Environment& environment) {
  if (!config.token.empty()) return bearer_credentials(config.token, "config (token)");
  return bearer_credentials(variable(environment, config.token_env),
                            "environment (" + config.token_env + ")");
}

}  // namespace

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

Result<std::shared_ptr<const Credentials>> load_credentials(const CredentialsConfig& config,
                                                            const Environment& environment) {
  switch (config.source) {
    case CredentialsConfig::Source::default_chain:
      return default_chain(environment);
    case CredentialsConfig::Source::profile:
      return named_profile(config.profile, environment);
    case CredentialsConfig::Source::static_keys:
      return keys_credentials(config.access_key_id, config.secret_access_key, config.session_token,
                              "config (access_key_id, secret_access_key)");
    case CredentialsConfig::Source::bearer:
      return configured_bearer(config, environment);
    case CredentialsConfig::Source::forward_bearer:
      return finished({.kind = Credentials::Kind::forward_bearer,
                       .keys = {},
                       .token = {},
                       .origin = "the client"});
    case CredentialsConfig::Source::none:
      break;
  }
  return finished({.kind = Credentials::Kind::none, .keys = {}, .token = {}, .origin = "none"});
}

}  // namespace understudy::proxy
