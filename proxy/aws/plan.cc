#include "proxy/aws/plan.h"

#include <utility>

#include "proxy/aws/command_split.h"
#include "proxy/aws/endpoints.h"
#include "proxy/aws/plan_sources.h"

namespace understudy::proxy::aws {
namespace {

using routing::CredentialsConfig;
using Source = CredentialsConfig::Source;
using Found = Result<FoundSource>;

Found required(MaybeSource found, std::string_view what_to_do) {
  if (!found) return found.error();
  if (!*found) return credentials_error(std::string(what_to_do));
  return std::move(**found);
}

Found bearer(std::string token, const std::string& origin) {
  auto made = make_bearer(std::move(token), origin);
  if (!made) return made.error();
  return fixed(std::move(*made), origin);
}

std::string chosen_profile(const Environment& environment) {
  std::string name = variable(environment, "AWS_PROFILE");
  return name.empty() ? variable(environment, "AWS_DEFAULT_PROFILE") : name;
}

Result<AwsProfile> existing_profile(const AwsFiles& files, const std::string& name) {
  auto profile = files.profile(name);
  if (profile) return std::move(*profile);
  return credentials_error("there is no profile \"" + name + "\" (looked in " + files.names() +
                           ")");
}

Found named_profile(const std::string& name, const Environment& environment) {
  const auto files = read_aws_files(environment);
  if (!files) return files.error();
  const auto profile = existing_profile(*files, name);
  if (!profile) return profile.error();
  return required(of_profile(*profile, *files, environment, false),
                  profile->origin() + " has no access keys and names no other source (looked in " +
                      files->names() + ")");
}

Found single_sign_on_of(const std::string& configured, const Environment& environment) {
  const auto files = read_aws_files(environment);
  if (!files) return files.error();
  std::string name = configured.empty() ? chosen_profile(environment) : configured;
  if (name.empty()) name = "default";
  const auto profile = existing_profile(*files, name);
  if (!profile) return profile.error();
  return required(single_sign_on(*profile, *files, environment),
                  profile->origin() + " has no sso_account_id and sso_role_name");
}

// The profile that the environment chooses, or the default one, which need not exist.
MaybeSource chain_profile(const AwsFiles& files, const Environment& environment) {
  const std::string name = chosen_profile(environment);
  if (!name.empty()) {
    const auto profile = existing_profile(files, name);
    if (!profile) return profile.error();
    return of_profile(*profile, files, environment, true);
  }
  const AwsProfile none{.name = "default", .config = {}, .credentials = {}};
  return of_profile(files.profile("default").value_or(none), files, environment, true);
}

Found default_chain(const Environment& environment) {
  if (std::string token = variable(environment, "AWS_BEARER_TOKEN_BEDROCK"); !token.empty())
    return bearer(std::move(token), "environment (AWS_BEARER_TOKEN_BEDROCK)");
  MaybeSource found = environment_keys(environment);
  if (!found || *found) return required(std::move(found), {});
  const auto files = read_aws_files(environment);
  if (!files) return files.error();
  found = chain_profile(*files, environment);
  if (!found || *found) return required(std::move(found), {});
  found = container(environment);
  if (!found || *found) return required(std::move(found), {});
  return required(instance_metadata(environment),
                  "no credentials found: set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and "
                  "AWS_SECRET_ACCESS_KEY, or a profile in " +
                      files->names() +
                      " (the instance metadata service is turned off by "
                      "AWS_EC2_METADATA_DISABLED)");
}

Found process_of_config(const CredentialsConfig& config) {
  auto words = split_command(config.command);
  if (!words) return words.error();
  std::string origin = "process " + words->front();
  return FoundSource{ProcessSource{std::move(*words)}, std::move(origin)};
}

Found web_identity_of_config(const CredentialsConfig& config, const Environment& environment) {
  const Environment with_config = [&](std::string_view name) -> std::optional<std::string> {
    if (name == "AWS_WEB_IDENTITY_TOKEN_FILE" && !config.token_file.empty())
      return config.token_file;
    if (name == "AWS_ROLE_ARN" && !config.web_identity_role_arn.empty())
      return config.web_identity_role_arn;
    return environment(name);
  };
  return required(web_identity(with_config, nullptr),
                  "no token file: set AWS_WEB_IDENTITY_TOKEN_FILE, or `token_file`");
}

Found static_keys(const CredentialsConfig& config) {
  const std::string origin = "config (access_key_id, secret_access_key)";
  auto keys =
      make_keys(config.access_key_id, config.secret_access_key, config.session_token, origin);
  if (!keys) return keys.error();
  return fixed(std::move(*keys), origin);
}

Found source_of(const CredentialsConfig& config, const Environment& environment) {
  switch (config.source) {
    case Source::default_chain:
      return default_chain(environment);
    case Source::environment:
      return required(environment_keys(environment),
                      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
    case Source::profile:
      return named_profile(config.profile, environment);
    case Source::static_keys:
      return static_keys(config);
    case Source::process:
      return process_of_config(config);
    case Source::web_identity:
      return web_identity_of_config(config, environment);
    case Source::container:
      return required(container(environment),
                      "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                      "AWS_CONTAINER_CREDENTIALS_FULL_URI is set");
    case Source::imds:
      return required(instance_metadata(environment),
                      "AWS_EC2_METADATA_DISABLED turns the instance metadata service off");
    case Source::sso:
      return single_sign_on_of(config.profile, environment);
    case Source::bearer:
      if (!config.token.empty()) return bearer(config.token, "config (token)");
      return bearer(variable(environment, config.token_env),
                    "environment (" + config.token_env + ")");
    case Source::forward_bearer:
      return fixed({.kind = Credentials::Kind::forward_bearer}, "the client's own token");
    case Source::none:
      break;
  }
  return fixed({}, "none");
}

bool is_token(const CredentialPlan& plan) {
  const auto* const source = std::get_if<FixedSource>(&plan.source);
  return source != nullptr && source->credentials.kind != Credentials::Kind::sigv4;
}

}  // namespace

Result<CredentialPlan> plan_credentials(const CredentialsConfig& config, const std::string& region,
                                        const Environment& environment) {
  Found found = source_of(config, environment);
  if (!found) return found.error();
  CredentialPlan plan{.source = std::move(found->source),
                      .roles = std::move(found->roles),
                      .origin = std::move(found->origin),
                      .sts_region = {},
                      .sts = {},
                      .ca_file = {},
                      .timeout = config.timeout,
                      .max_answer_bytes = config.max_answer_bytes};
  if (!config.role_arn.empty()) {
    if (is_token(plan))
      return credentials_error(plan.origin + ": a token cannot assume role_arn; keys can");
    plan.roles.push_back(
        assumed_role(config.role_arn, config.external_id, config.role_session_name,
                     std::chrono::duration_cast<std::chrono::seconds>(config.role_duration)));
    plan.origin = "role " + config.role_arn + " with " + plan.origin;
  }
  if (plan.is_fixed()) return plan;
  plan.ca_file = variable(environment, "AWS_CA_BUNDLE");
  if (!plan.roles.empty() || std::holds_alternative<WebIdentitySource>(plan.source)) {
    auto sts = service_endpoint("sts", region, "AWS_ENDPOINT_URL_STS", environment);
    if (!sts) return sts.error();
    plan.sts = std::move(*sts);
    plan.sts_region = region;
  }
  return plan;
}

}  // namespace understudy::proxy::aws
