#pragma once
// The parts that plans are made of. Used by the two units that make plans; pure but for the
// environment that they are given.

#include <optional>
#include <string>
#include <variant>

#include "proxy/aws/plan.h"
#include "proxy/aws/profiles.h"

namespace understudy::proxy::aws {

// A source and what people should read of it.
struct FoundSource {
  decltype(CredentialPlan::source) source;
  std::string origin;
  std::vector<AssumedRole> roles{};
};
// None where the environment or profile does not ask for that source.
using MaybeSource = Result<std::optional<FoundSource>>;

MaybeSource environment_keys(const Environment& environment);
// Variables alone; `fallback` may be null, else its keys stand in for those that are not set.
MaybeSource web_identity(const Environment& environment, const AwsProfile* fallback);
MaybeSource profile_web_identity(const AwsProfile& profile);
MaybeSource container(const Environment& environment);
// None where AWS_EC2_METADATA_DISABLED says so.
MaybeSource instance_metadata(const Environment& environment);
MaybeSource single_sign_on(const AwsProfile& profile, const AwsFiles& files,
                           const Environment& environment);

FoundSource fixed(Credentials credentials, std::string origin);
AssumedRole assumed_role(std::string arn, std::string external_id, std::string session_name,
                         std::chrono::seconds duration);

// Whatever that profile asks for, in botocore's order; none where it exists and asks for nothing.
// `of_environment`: the profile was chosen by the default chain, where the variables of web
// identity count before the profile's keys.
MaybeSource of_profile(const AwsProfile& profile, const AwsFiles& files,
                       const Environment& environment, bool of_environment);

}  // namespace understudy::proxy::aws
