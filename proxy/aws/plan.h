#pragma once
// Where an upstream's credentials will come from, decided without fetching anything: a config
// section, the environment and the profile files lead to one plan, in the order of the AWS SDKs
// (botocore's, with which the tests compare). A plan is a value; two upstreams with equal plans
// share their credentials.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "proxy/credentials.h"
#include "proxy/error.h"
#include "routing/config.h"

namespace understudy::proxy::aws {

// Known at once: keys or a token of the environment, a file or the config; the client's; none.
struct FixedSource {
  Credentials credentials;
  friend bool operator==(const FixedSource&, const FixedSource&) = default;
};

// A program whose output they are.
struct ProcessSource {
  std::vector<std::string> command;
  friend bool operator==(const ProcessSource&, const ProcessSource&) = default;
};

// A token in a file, which STS exchanges for a role's (Kubernetes' service accounts, IRSA).
struct WebIdentitySource {
  std::filesystem::path token_file;
  std::string role_arn;
  std::string session_name;
  friend bool operator==(const WebIdentitySource&, const WebIdentitySource&) = default;
};

// IAM Identity Center: a token of `aws sso login`, which its portal exchanges for a role's.
struct SsoSource {
  std::filesystem::path token_file;  // ~/.aws/sso/cache/<sha1>.json
  bool may_renew = false;            // the token, by its refresh token: with an sso-session
  std::string start_url;
  std::string region;
  std::string account_id;
  std::string role_name;
  routing::Endpoint portal;
  routing::Endpoint oidc;
  friend bool operator==(const SsoSource&, const SsoSource&) = default;
};

// The endpoint beside a container: ECS, EKS Pod Identity.
struct ContainerSource {
  routing::Endpoint endpoint;  // without a path
  std::string target;
  std::filesystem::path token_file;  // read at every fetch; else
  Secret token;
  friend bool operator==(const ContainerSource&, const ContainerSource&) = default;
};

// The instance metadata service of EC2, version 2.
struct ImdsSource {
  routing::Endpoint endpoint;
  friend bool operator==(const ImdsSource&, const ImdsSource&) = default;
};

// Assumed by STS with the credentials got so far.
struct AssumedRole {
  std::string arn;
  std::string external_id;  // may be empty
  std::string session_name;
  std::chrono::seconds duration{0};  // 0: the role's own default
  friend bool operator==(const AssumedRole&, const AssumedRole&) = default;
};

struct CredentialPlan {
  std::variant<FixedSource, ProcessSource, WebIdentitySource, SsoSource, ContainerSource,
               ImdsSource>
      source;
  std::vector<AssumedRole> roles;  // each with the credentials of what stands before it
  std::string origin;              // for people: "profile \"prod\": role arn:... with ..."

  // Of fetching:
  std::string sts_region;
  routing::Endpoint sts;
  std::string ca_file;  // AWS_CA_BUNDLE; empty: the system's
  std::chrono::milliseconds timeout{0};
  std::size_t max_answer_bytes = 0;

  bool is_fixed() const noexcept {
    return roles.empty() && std::holds_alternative<FixedSource>(source);
  }
  friend bool operator==(const CredentialPlan&, const CredentialPlan&) = default;
};

// Reads variables and files, contacts nobody. `region` is the upstream's: STS is asked there. The
// error names what was looked at and what to do; it contains no secret.
Result<CredentialPlan> plan_credentials(const routing::CredentialsConfig& config,
                                        const std::string& region, const Environment& environment);

}  // namespace understudy::proxy::aws
