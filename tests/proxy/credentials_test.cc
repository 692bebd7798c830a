#include "proxy/credentials.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/aws/plan.h"
#include "proxy/aws/profiles.h"
#include "tests/support/home.h"

namespace understudy::proxy {
namespace {

using routing::CredentialsConfig;
using testing_support::Home;
using Source = CredentialsConfig::Source;

CredentialsConfig of_source(Source source) {
  CredentialsConfig config;
  config.source = source;
  return config;
}
CredentialsConfig of_profile(const std::string& name) {
  CredentialsConfig config = of_source(Source::profile);
  config.profile = name;
  return config;
}
CredentialsConfig of_keys(const std::string& id, const std::string& secret,
                          const std::string& token = "") {
  CredentialsConfig config = of_source(Source::static_keys);
  config.access_key_id = id;
  config.secret_access_key = secret;
  config.session_token = token;
  return config;
}
CredentialsConfig of_token(const std::string& token) {
  CredentialsConfig config = of_source(Source::bearer);
  config.token = token;
  return config;
}

Result<aws::CredentialPlan> plan(const CredentialsConfig& config, const Home& home) {
  return aws::plan_credentials(config, "us-east-1", home.environment());
}
// What is known without fetching.
Result<Credentials> load(const CredentialsConfig& config, const Home& home) {
  const auto made = plan(config, home);
  if (!made) return made.error();
  if (!made->is_fixed()) return credentials_error("to be fetched: " + made->origin);
  return std::get<aws::FixedSource>(made->source).credentials;
}
auto load_default(const Home& home) {
  return load(of_source(Source::default_chain), home);
}
auto load_profile(const std::string& name, const Home& home) {
  return load(of_profile(name), home);
}

void expect_keys(const Result<Credentials>& result, const std::string& id,
                 const std::string& secret, const std::string& token = "") {
  ASSERT_TRUE(result) << result.error().context;
  const Credentials& credentials = *result;
  EXPECT_EQ(credentials.kind, Credentials::Kind::sigv4);
  EXPECT_EQ(credentials.keys.access_key_id, id);
  EXPECT_EQ(credentials.keys.secret_access_key.reveal(), secret);
  EXPECT_EQ(credentials.keys.session_token.reveal(), token);
}

void expect_error(const Result<Credentials>& result, const std::vector<std::string>& mentioned) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::credentials);
  for (const std::string& part : mentioned) {
    EXPECT_NE(result.error().context.find(part), std::string::npos)
        << part << " is not in: " << result.error().context;
  }
  EXPECT_EQ(result.error().context.find("HIDDEN"), std::string::npos) << result.error().context;
}

TEST(DefaultCredentials, PreferTheBearerTokenToKeys) {
  Home home;
  home.set("AWS_BEARER_TOKEN_BEDROCK", "ABSK123").set("AWS_ACCESS_KEY_ID", "AKID");
  const auto result = load_default(home);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->kind, Credentials::Kind::bearer);
  EXPECT_EQ(result->token.reveal(), "ABSK123");
}

TEST(DefaultCredentials, TakeKeysOfTheEnvironmentBeforeProfiles) {
  Home home;
  home.credentials("[default]\naws_access_key_id=FILE\naws_secret_access_key=file\n");
  home.set("AWS_ACCESS_KEY_ID", "AKID").set("AWS_SECRET_ACCESS_KEY", "key");
  expect_keys(load_default(home), "AKID", "key");
  home.set("AWS_SESSION_TOKEN", "token==");
  expect_keys(load_default(home), "AKID", "key", "token==");
}

TEST(DefaultCredentials, TakeTheOldNameOfTheSessionToken) {
  Home home;
  home.set("AWS_ACCESS_KEY_ID", "AKID").set("AWS_SECRET_ACCESS_KEY", "key");
  home.set("AWS_SECURITY_TOKEN", "old");
  expect_keys(load_default(home), "AKID", "key", "old");
  home.set("AWS_SESSION_TOKEN", "new");
  expect_keys(load_default(home), "AKID", "key", "new");
}

TEST(DefaultCredentials, RefuseHalfOfAKeyPair) {
  Home id_only;
  id_only.set("AWS_ACCESS_KEY_ID", "AKID");
  expect_error(load_default(id_only), {"no secret access key", "AWS_SECRET_ACCESS_KEY"});
  Home secret_only;
  secret_only.set("AWS_SECRET_ACCESS_KEY", "HIDDEN");
  expect_error(load_default(secret_only), {"no access key id", "AWS_ACCESS_KEY_ID"});
}

TEST(DefaultCredentials, TreatEmptyVariablesAsUnset) {
  Home home;
  home.set("AWS_BEARER_TOKEN_BEDROCK", "").set("AWS_ACCESS_KEY_ID", "");
  home.set("AWS_PROFILE", "").set("AWS_CONFIG_FILE", "");
  home.credentials("[default]\naws_access_key_id=FILE\naws_secret_access_key=file\n");
  expect_keys(load_default(home), "FILE", "file");
}

TEST(DefaultCredentials, UseTheProfileThatAVariableNames) {
  Home home;
  home.credentials(
      "[default]\naws_access_key_id=D\naws_secret_access_key=d\n"
      "[one]\naws_access_key_id=ONE\naws_secret_access_key=1\n"
      "[two]\naws_access_key_id=TWO\naws_secret_access_key=2\n");
  expect_keys(load_default(home), "D", "d");
  home.set("AWS_DEFAULT_PROFILE", "two");
  expect_keys(load_default(home), "TWO", "2");
  home.set("AWS_PROFILE", "one");
  expect_keys(load_default(home), "ONE", "1");
  home.set("AWS_PROFILE", "three");
  expect_error(load_default(home), {"no profile \"three\""});
}

TEST(DefaultCredentials, EndWithTheInstanceMetadataService) {
  Home home;
  const auto asked = plan(of_source(Source::default_chain), home);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->origin, "instance metadata service http://169.254.169.254");
  home.set("AWS_EC2_METADATA_DISABLED", "TRUE");
  expect_error(load_default(home),
               {"AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_EC2_METADATA_DISABLED",
                home.path().string() + "/.aws/config", home.path().string() + "/.aws/credentials"});
}

TEST(DefaultCredentials, OfAnEmptyProfileAreLookedForFurther) {
  Home home;
  home.config("[profile dev]\nregion=us-east-1\n").set("AWS_PROFILE", "dev");
  home.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");
  const auto asked = plan(of_source(Source::default_chain), home);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->origin,
            "container endpoint http://169.254.170.23 (AWS_CONTAINER_CREDENTIALS_FULL_URI)");
}

TEST(DefaultCredentials, OfTheEnvironmentKnowTheirEnd) {
  Home home;
  home.set("AWS_ACCESS_KEY_ID", "AKID").set("AWS_SECRET_ACCESS_KEY", "key");
  home.set("AWS_CREDENTIAL_EXPIRATION", "2026-11-21T03:20:00Z");
  const auto loaded = load_default(home);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->expires, WallTime(std::chrono::seconds(1'795'231'200)));
  home.set("AWS_CREDENTIAL_EXPIRATION", "HIDDEN");
  expect_error(load_default(home), {"AWS_CREDENTIAL_EXPIRATION"});
}

TEST(ProfileCredentials, ComeFromTheCredentialsFileBeforeTheConfigFile) {
  Home home;
  home.config("[profile dev]\naws_access_key_id=CONFIG\naws_secret_access_key=c\n");
  expect_keys(load_profile("dev", home), "CONFIG", "c");
  home.credentials("[dev]\naws_access_key_id=CREDENTIALS\naws_secret_access_key=k\n");
  expect_keys(load_profile("dev", home), "CREDENTIALS", "k");
}

TEST(ProfileCredentials, AreReadAsBotocoreReadsThem) {
  Home home;
  home.credentials(
      "# a comment\r\n"
      "\r\n"
      "[dev]  ; of the team\r\n"
      "AWS_Access_Key_Id = AKID\r\n"
      "  ; an indented comment\r\n"
      "aws_secret_access_key: a/b+c=d\r\n"
      "s3 =\r\n"
      "  aws_session_token = not of the profile\r\n"
      "[Dev]\n"
      "aws_access_key_id=OTHER\n"
      "aws_secret_access_key=x");
  expect_keys(load_profile("dev", home), "AKID", "a/b+c=d");
  expect_keys(load_profile("Dev", home), "OTHER", "x");
}

TEST(ProfileCredentials, FollowTheVariablesThatNameFiles) {
  Home home;
  home.file("my.conf", "[profile dev]\nregion=eu-west-1\n");
  home.file("my.keys", "[dev]\naws_access_key_id=MINE\naws_secret_access_key=m\n");
  home.set("AWS_CONFIG_FILE", (home.path() / "my.conf").string());
  home.set("AWS_SHARED_CREDENTIALS_FILE", "~/my.keys");
  expect_keys(load_profile("dev", home), "MINE", "m");
}

TEST(ProfileCredentials, OfTheConfigFileNeedThePrefixButForDefault) {
  Home home;
  home.config(
      "[default]\naws_access_key_id=D\naws_secret_access_key=d\n"
      "[dev]\naws_access_key_id=X\naws_secret_access_key=x\n"
      "[profile \"two words\"]\naws_access_key_id=W\naws_secret_access_key=w\n");
  expect_keys(load_profile("default", home), "D", "d");
  expect_keys(load_profile("two words", home), "W", "w");
  expect_error(load_profile("dev", home), {"no profile \"dev\"", "/.aws/config"});
}

// Config file, and what the plan for profile "dev" says of itself or complains of.
struct ProfileCase {
  std::string_view config;
  std::string_view says;
};

TEST(ProfilePlan, FollowsWhatTheProfileAsksFor) {
  const std::vector<ProfileCase> cases = {
      {"[profile dev]\nrole_arn=arn:a\nsource_profile=base\n"
       "[profile base]\naws_access_key_id=A\naws_secret_access_key=HIDDEN\n",
       "role arn:a of profile \"dev\" with profile \"base\" of"},
      {"[profile dev]\nrole_arn=arn:a\nsource_profile=mid\n"
       "[profile mid]\nrole_arn=arn:b\ncredential_source=Ec2InstanceMetadata\n",
       "role arn:a of profile \"dev\" with role arn:b of profile \"mid\" with instance metadata"},
      {"[profile dev]\nrole_arn=arn:a\nsource_profile=dev\n"
       "aws_access_key_id=A\naws_secret_access_key=HIDDEN\n",
       "role arn:a of profile \"dev\" with profile \"dev\" of"},
      {"[profile dev]\nrole_arn=arn:a\nweb_identity_token_file=/t\n",
       "role arn:a by web identity (/t)"},
      {"[profile dev]\ncredential_process=\"/opt/my keys\" HIDDEN\n",
       "profile \"dev\": credential_process /opt/my keys"},
      {"[profile dev]\nsso_session=work\nsso_account_id=1\nsso_role_name=r\n"
       "[sso-session work]\nsso_region=eu-west-1\nsso_start_url=https://x\n",
       "profile \"dev\": single sign-on, role r of 1"},
      {"[profile dev]\nsso_region=eu-west-1\nsso_start_url=https://x\nsso_account_id=1\n"
       "sso_role_name=r\n",
       "profile \"dev\": single sign-on, role r of 1"},
  };
  for (const ProfileCase& one : cases) {
    Home home;
    home.config(one.config);
    const auto made = plan(of_profile("dev"), home);
    ASSERT_TRUE(made) << one.config << made.error().context;
    EXPECT_TRUE(made->origin.starts_with(one.says)) << made->origin;
    EXPECT_EQ(made->origin.find("HIDDEN"), std::string::npos) << made->origin;
  }
}

TEST(ProfilePlan, RefusesWhatCannotWork) {
  const std::vector<ProfileCase> cases = {
      {"[profile dev]\nrole_arn=arn:a\n", "either source_profile or credential_source"},
      {"[profile dev]\nrole_arn=arn:a\nsource_profile=x\ncredential_source=Environment\n",
       "either source_profile or credential_source"},
      {"[profile dev]\nrole_arn=arn:a\nsource_profile=x\n", "no source_profile \"x\""},
      {"[profile dev]\nrole_arn=arn:a\nsource_profile=dev\n", "leads back to itself"},
      {"[profile dev]\nrole_arn=arn:a\nsource_profile=b\n"
       "[profile b]\nrole_arn=arn:b\nsource_profile=dev\n",
       "leads back to itself"},
      {"[profile dev]\nrole_arn=arn:a\nsource_profile=b\n[profile b]\nregion=x\n",
       "\"b\" has no credentials"},
      {"[profile dev]\nrole_arn=arn:a\nmfa_serial=HIDDEN\ncredential_source=Environment\n",
       "mfa_serial"},
      {"[profile dev]\nrole_arn=arn:a\ncredential_source=environment\n", "credential_source must"},
      {"[profile dev]\nrole_arn=arn:a\ncredential_source=Environment\n",
       "credential_source Environment has no credentials here"},
      {"[profile "
       "dev]\nrole_arn=arn:a\nduration_seconds=60\ncredential_source=Ec2InstanceMetadata\n",
       "duration_seconds must be between"},
      {"[profile dev]\nweb_identity_token_file=/t\n", "has a token file but no role"},
      {"[profile dev]\nlogin_session=HIDDEN\n", "login_session"},
      {"[profile dev]\ncredential_process='HIDDEN\n", "a quote without its end"},
      {"[profile dev]\nsso_session=work\nsso_account_id=1\nsso_role_name=r\n",
       "no [sso-session work]"},
      {"[profile dev]\nsso_account_id=1\nsso_role_name=r\n", "lacks sso_start_url"},
      {"[profile dev]\nsso_session=work\nsso_account_id=1\nsso_role_name=r\nsso_region=us-east-1\n"
       "[sso-session work]\nsso_region=eu-west-1\nsso_start_url=https://x\n",
       "contradict each other about sso_region"},
  };
  for (const ProfileCase& one : cases) {
    Home home;
    home.config(one.config);
    expect_error(load_profile("dev", home), {std::string(one.says)});
  }
}

TEST(ProfilePlan, TakesAtMostEightRoles) {
  Home home;
  std::string config;
  for (int i = 0; i < 10; ++i) {
    config += "[profile p" + std::to_string(i) + "]\nrole_arn=arn:r\nsource_profile=p" +
              std::to_string(i + 1) + "\n";
  }
  home.config(config + "[profile p10]\naws_access_key_id=A\naws_secret_access_key=HIDDEN\n");
  expect_error(load_profile("p0", home), {"more than 8 roles"});
  EXPECT_TRUE(plan(of_profile("p2"), home));
}

TEST(Plan, AssumesTheConfiguredRoleWithWhateverTheSourceGives) {
  Home home;
  home.set("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
  CredentialsConfig config = of_keys("AKID", "key");
  config.role_arn = "arn:aws:iam::1:role/x";
  config.external_id = "id";
  config.role_duration = std::chrono::minutes(15);
  const auto made = plan(config, home);
  ASSERT_TRUE(made);
  ASSERT_EQ(made->roles.size(), 1U);
  EXPECT_EQ(made->roles[0].external_id, "id");
  EXPECT_EQ(made->roles[0].session_name, "understudy");
  EXPECT_EQ(made->roles[0].duration, std::chrono::seconds(900));
  EXPECT_EQ(made->sts.port, 9);
  EXPECT_EQ(made->origin,
            "role arn:aws:iam::1:role/x with config (access_key_id, secret_access_key)");
  home.set("AWS_BEARER_TOKEN_BEDROCK", "HIDDEN");
  config = of_source(Source::default_chain);
  config.role_arn = "arn:aws:iam::1:role/x";
  expect_error(load(config, home), {"a token cannot assume"});
}

TEST(Plan, AsksServicesOfTheRegionByHttps) {
  Home home;
  CredentialsConfig config = of_keys("AKID", "key");
  config.role_arn = "arn:aws:iam::1:role/x";
  const auto china = aws::plan_credentials(config, "cn-north-1", home.environment());
  ASSERT_TRUE(china);
  EXPECT_TRUE(china->sts.tls);
  EXPECT_EQ(china->sts.host, "sts.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(plan(config, home)->sts.host, "sts.us-east-1.amazonaws.com");
  home.set("AWS_ENDPOINT_URL_STS", "http://sts.example.com");
  expect_error(load(config, home), {"AWS_ENDPOINT_URL_STS must be https://"});
}

TEST(Plan, AsksOnlyHostsThatMayHandOutCredentials) {
  for (const std::string_view good :
       {"https://example.com/x", "http://127.0.0.1:51679/creds?a=b", "http://localhost/x",
        "http://[::1]/x", "http://169.254.170.2/v2", "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials"}) {
    Home home;
    home.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", std::string(good));
    EXPECT_TRUE(plan(of_source(Source::container), home)) << good;
  }
  for (const std::string_view bad :
       {"http://example.com/x", "http://169.254.169.254/x", "http://127.0.0.1.example.com/x",
        "http://user@127.0.0.1/x", "ftp://127.0.0.1/", "169.254.170.2/x",
        "http://127.0.0.1/\r\nx: y", "http://127.0.0.1/a b"}) {
    Home home;
    home.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", std::string(bad));
    expect_error(load(of_source(Source::container), home), {"AWS_CONTAINER_CREDENTIALS_FULL_URI"});
  }
  Home relative;
  relative.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@example.com/x");
  expect_error(load(of_source(Source::container), relative), {"must begin with a slash"});
}

// As ECS tells a task.
TEST(Plan, AsksTheAgentOfTheHostForARelativeUri) {
  Home home;
  home.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/0b1c?a=b");
  home.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:51679/creds");
  for (const Source from : {Source::container, Source::default_chain}) {
    const auto made = plan(of_source(from), home);
    ASSERT_TRUE(made) << made.error().context;
    ASSERT_TRUE(std::holds_alternative<aws::ContainerSource>(made->source)) << made->origin;
    const auto& source = std::get<aws::ContainerSource>(made->source);
    EXPECT_EQ(source.endpoint, (routing::Endpoint{false, "169.254.170.2", 80, ""}));
    EXPECT_EQ(source.target, "/v2/credentials/0b1c?a=b");
    EXPECT_EQ(made->origin,
              "container endpoint http://169.254.170.2 (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)");
  }
}

TEST(BearerKeys, TellTheirEndWhereTheyHaveOne) {
  // "bedrock.amazonaws.com/?...&X-Amz-Date=20261121T032000Z&X-Amz-Expires=43200&Version=1"
  const std::string key =
      "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9BY3Rpb249Q2FsbFdpdGhCZWFyZXJUb2tlbiZYLUFtei1E"
      "YXRlPTIwMjYxMTIxVDAzMjAwMFomWC1BbXotRXhwaXJlcz00MzIwMCZWZXJzaW9uPTE=";
  EXPECT_EQ(bearer_expiry(key), WallTime(std::chrono::seconds(1'795'231'200 + 43'200)));
  for (const std::string_view other :
       {"", "ABSKabcdef", "bedrock-api-key-", "bedrock-api-key-!!!!",
        "bedrock-api-key-YQ==", "bedrock-api-key-P1gtQW16LURhdGU9eCZYLUFtei1FeHBpcmVzPTE="}) {
    EXPECT_EQ(bearer_expiry(other), std::nullopt) << other;
  }
}

TEST(ProfileCredentials, PreferKeysOfTheCredentialsFileToAProcess) {
  Home home;
  home.config("[profile dev]\ncredential_process = /bin/keys\n");
  home.credentials("[dev]\naws_access_key_id=AKID\naws_secret_access_key=k\n");
  expect_keys(load_profile("dev", home), "AKID", "k");
}

TEST(ProfileCredentials, WithoutKeysAreRefused) {
  Home home;
  home.config("[profile dev]\nregion=us-east-1\n");
  expect_error(load_profile("dev", home), {"\"dev\" has no access keys and names no other"});
  home.credentials("[dev]\naws_secret_access_key=HIDDEN\n");
  expect_error(load_profile("dev", home), {"no access key id", "credentials"});
}

TEST(ProfileCredentials, OfABrokenFileNameTheLineAndNotItsText) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"aws_access_key_id=HIDDEN\n", ":1: a key before"},
      {"[dev]\nHIDDEN\n", ":2: not"},
      {"[dev]\n=HIDDEN\n", ":2: not"},
      {"[]\n", ":1: a section without"},
      {"[HIDDEN\n", ":1: a section without"},
      {"[dev]\na=HIDDEN\na=HIDDEN\n", ":3: this key"},
      {"[dev]\n[dev]\n", ":2: this section"},
  };
  for (const auto& [text, problem] : cases) {
    Home home;
    home.credentials(text);
    expect_error(load_profile("dev", home), {".aws/credentials" + problem});
  }
}

TEST(ProfileCredentials, OfAHugeOrIrregularFileAreRefused) {
  Home huge;
  huge.credentials(std::string((1 << 20) + 1, '#'));
  expect_error(load_profile("dev", huge), {"1 MiB"});
  Home directory;
  std::filesystem::create_directory(directory.path() / ".aws/credentials");
  expect_error(load_profile("dev", directory), {".aws/credentials", "not a readable file"});
}

TEST(StaticCredentials, ComeFromTheConfig) {
  const Home home;
  expect_keys(load(of_keys("AKID", "key", "token"), home), "AKID", "key", "token");
  expect_error(load(of_keys("", "HIDDEN"), home), {"no access key id"});
  expect_error(load(of_keys("AKID", ""), home), {"no secret access key"});
}

TEST(Credentials, WithBytesThatWouldBreakAHeaderAreRefused) {
  const Home home;
  using namespace std::string_literals;
  for (const std::string& bad : {"HIDDEN\r\nx: y"s, "HIDDEN\n"s, "HID\0DEN"s, "HIDDEN "s,
                                 "HIDDEN\x7f"s, "\x1bHIDDEN"s, "HIDDEN\xc3\xa9"s}) {
    expect_error(load(of_keys(bad, "key"), home), {"the access key id"});
    expect_error(load(of_keys("AKID", bad), home), {"the secret access key"});
    expect_error(load(of_keys("AKID", "key", bad), home), {"the session token"});
    expect_error(load(of_token(bad), home), {"the bearer token"});
  }
  // "Credential=AKID/DATE/..." has its own separators.
  expect_error(load(of_keys("AKID/20200101", "key"), home), {"the access key id"});
}

TEST(BearerCredentials, ComeFromTheConfigOrAVariable) {
  Home home;
  const auto from_config = load(of_token("abc"), home);
  ASSERT_TRUE(from_config);
  EXPECT_EQ(from_config->kind, Credentials::Kind::bearer);
  EXPECT_EQ(from_config->token.reveal(), "abc");

  CredentialsConfig by_variable = of_token("");
  by_variable.token_env = "MY_TOKEN";
  expect_error(load(by_variable, home), {"no bearer token", "MY_TOKEN"});
  home.set("MY_TOKEN", "xyz");
  const auto from_variable = load(by_variable, home);
  ASSERT_TRUE(from_variable);
  EXPECT_EQ(from_variable->token.reveal(), "xyz");
}

TEST(Credentials, MayBeTheClientsOrNone) {
  const Home home;
  const auto forwarded = load(of_source(Source::forward_bearer), home);
  ASSERT_TRUE(forwarded);
  EXPECT_EQ(forwarded->kind, Credentials::Kind::forward_bearer);
  const auto none = load(of_source(Source::none), home);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->kind, Credentials::Kind::none);
  EXPECT_TRUE(none->token.empty());
}

TEST(ProcessEnvironment, IsTheOneOfTheProcess) {
  const Environment environment = process_environment();
  ::setenv("UNDERSTUDY_TEST_VARIABLE", "value", 1);
  EXPECT_EQ(environment("UNDERSTUDY_TEST_VARIABLE"), "value");
  ::unsetenv("UNDERSTUDY_TEST_VARIABLE");
  EXPECT_EQ(environment("UNDERSTUDY_TEST_VARIABLE"), std::nullopt);
}

TEST(ProfileSection, NamesAreReadFromHeaders) {
  EXPECT_EQ(profile_of_section("default"), "default");
  EXPECT_EQ(profile_of_section("profile default"), "default");
  EXPECT_EQ(profile_of_section("profile  dev"), "dev");
  EXPECT_EQ(profile_of_section("profile 'a b'"), "a b");
  for (const std::string_view other : {"dev", "profile", "profiledev", "profile a b", "profile \"a",
                                       "profile \"\"", "sso-session dev", "services dev", ""}) {
    EXPECT_EQ(profile_of_section(other), "") << other;
  }
}

}  // namespace
}  // namespace understudy::proxy
