// What a profile asks for: the part of a plan that follows source_profile from profile to profile.

#include <algorithm>
#include <array>
#include <charconv>

#include "proxy/aws/command_split.h"
#include "proxy/aws/plan_sources.h"
#include "proxy/aws/timestamp.h"

namespace understudy::proxy::aws {
namespace {

// Session limits of STS, and more roles on top of each other than anybody needs.
constexpr std::chrono::seconds kShortestSession{900};
constexpr std::chrono::seconds kLongestSession{43'200};
constexpr std::size_t kMaxRoles = 8;

bool has_keys(const IniSection& section) {
  return section.contains("aws_access_key_id") || section.contains("aws_secret_access_key");
}

bool has_keys(const AwsProfile& profile) {
  return has_keys(profile.config) || has_keys(profile.credentials);
}

bool assumes_role(const AwsProfile& profile) {
  return profile.has("role_arn") && !profile.has("web_identity_token_file");
}

MaybeSource keys_of(const IniSection& section, const AwsProfile& profile,
                    const std::filesystem::path& path) {
  if (!has_keys(section)) return std::optional<FoundSource>();
  const std::string origin = profile.origin() + " of " + path.string();
  std::string token = value_of(section, "aws_security_token");
  if (token.empty()) token = value_of(section, "aws_session_token");
  auto keys = make_keys(value_of(section, "aws_access_key_id"),
                        value_of(section, "aws_secret_access_key"), std::move(token), origin);
  if (!keys) return keys.error();
  return std::optional(fixed(std::move(*keys), origin));
}

MaybeSource process_of(const AwsProfile& profile) {
  const std::string command = profile.value("credential_process");
  if (command.empty()) return std::optional<FoundSource>();
  auto words = split_command(command);
  if (!words)
    return credentials_error(profile.origin() + ": credential_process: " + words.error().context);
  std::string origin = profile.origin() + ": credential_process " + words->front();
  return std::optional(FoundSource{ProcessSource{std::move(*words)}, std::move(origin)});
}

// Refused where botocore would ask a browser for it.
MaybeSource login_of(const AwsProfile& profile) {
  if (!profile.has("login_session")) return std::optional<FoundSource>();
  return credentials_error(profile.origin() +
                           " asks for login_session, which needs a person: use single sign-on with "
                           "an sso-session, a role, or credential_process (`aws configure "
                           "export-credentials` prints what it wants)");
}

// Without roles to assume: what a source_profile that has keys, or no role, stands for.
MaybeSource without_role(const AwsProfile& profile, const AwsFiles& files,
                         const Environment& environment, bool of_environment) {
  MaybeSource found =
      of_environment ? web_identity(environment, &profile) : profile_web_identity(profile);
  if (!found || *found) return found;
  found = single_sign_on(profile, files, environment);
  if (!found || *found) return found;
  found = keys_of(profile.credentials, profile, files.credentials_path);
  if (!found || *found) return found;
  found = login_of(profile);
  if (!found || *found) return found;
  found = process_of(profile);
  if (!found || *found) return found;
  return keys_of(profile.config, profile, files.config_path);
}

Result<AssumedRole> role_of(const AwsProfile& profile) {
  if (profile.has("mfa_serial")) {
    return credentials_error(profile.origin() +
                             " asks for mfa_serial: nobody is there to type a code; use a role "
                             "without it, or a source_profile of single sign-on");
  }
  std::chrono::seconds duration{0};
  if (profile.has("duration_seconds")) {
    const auto given = parse_seconds(profile.value("duration_seconds"));
    if (!given || *given < kShortestSession || *given > kLongestSession) {
      return credentials_error(profile.origin() +
                               ": duration_seconds must be between 900 and 43200");
    }
    duration = *given;
  }
  return assumed_role(profile.value("role_arn"), profile.value("external_id"),
                      profile.value("role_session_name"), duration);
}

MaybeSource named_source(const std::string& name, const AwsProfile& profile,
                         const Environment& environment) {
  MaybeSource found = std::optional<FoundSource>();
  if (name == "Environment") {
    found = environment_keys(environment);
  } else if (name == "Ec2InstanceMetadata") {
    found = instance_metadata(environment);
  } else if (name == "EcsContainer") {
    found = container(environment);
  } else {
    return credentials_error(profile.origin() +
                             ": credential_source must be Environment, Ec2InstanceMetadata or "
                             "EcsContainer");
  }
  if (found && !*found) {
    return credentials_error(profile.origin() + ": credential_source " + name +
                             " has no credentials here");
  }
  return found;
}

// The chain of profiles that began at one and has come to `profiles.back()`.
class RoleChain {
 public:
  RoleChain(const AwsFiles& files, const Environment& environment)
      : files_(files), environment_(environment) {}

  MaybeSource follow(const AwsProfile& profile) {
    visited_.push_back(profile.name);
    auto role = role_of(profile);
    if (!role) return role.error();
    if (visited_.size() > kMaxRoles)
      return credentials_error(profile.origin() + ": more than 8 roles on top of each other");
    MaybeSource source = source_of(profile);
    if (!source || !*source) return source;
    FoundSource& found = **source;
    found.origin = "role " + role->arn + " of " + profile.origin() + " with " + found.origin;
    found.roles.push_back(std::move(*role));
    return source;
  }

 private:
  MaybeSource source_of(const AwsProfile& profile) {
    const std::string named = profile.value("credential_source");
    const std::string other = profile.value("source_profile");
    if (named.empty() == other.empty()) {
      return credentials_error(profile.origin() +
                               " assumes a role and needs either source_profile or "
                               "credential_source, to assume it with");
    }
    if (!named.empty()) return named_source(named, profile, environment_);
    const auto source = files_.profile(other);
    if (!source) {
      return credentials_error(profile.origin() + ": there is no source_profile \"" + other +
                               "\" (looked in " + files_.names() + ")");
    }
    const bool seen = std::find(visited_.begin(), visited_.end(), other) != visited_.end();
    // A profile may name itself where it holds the keys to assume its role with.
    if (seen && (other != profile.name || !has_keys(*source))) {
      return credentials_error(profile.origin() + ": source_profile \"" + other +
                               "\" leads back to itself");
    }
    if (!has_keys(*source) && assumes_role(*source)) return follow(*source);
    MaybeSource found = without_role(*source, files_, environment_, false);
    if (found && !*found) {
      return credentials_error(profile.origin() + ": source_profile \"" + other +
                               "\" has no credentials");
    }
    return found;
  }

  const AwsFiles& files_;
  const Environment& environment_;
  std::vector<std::string> visited_;
};

}  // namespace

MaybeSource of_profile(const AwsProfile& profile, const AwsFiles& files,
                       const Environment& environment, bool of_environment) {
  if (assumes_role(profile)) return RoleChain(files, environment).follow(profile);
  return without_role(profile, files, environment, of_environment);
}

}  // namespace understudy::proxy::aws
