#include "proxy/credentials.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/aws_profiles.h"

namespace understudy::proxy {
namespace {

using routing::CredentialsConfig;
using Source = CredentialsConfig::Source;

// A home directory with the files and variables of a user.
class Home {
 public:
  Home() {
    std::string name = (std::filesystem::temp_directory_path() / "understudy-home-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
    std::filesystem::create_directory(path_ / ".aws");
    variables_["HOME"] = path_.string();
  }
  ~Home() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  Home& file(const std::string& name, std::string_view text) {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return *this;
  }
  Home& config(std::string_view text) { return file(".aws/config", text); }
  Home& credentials(std::string_view text) { return file(".aws/credentials", text); }
  Home& set(const std::string& name, const std::string& value) {
    variables_[name] = value;
    return *this;
  }
  const std::filesystem::path& path() const { return path_; }

  Environment environment() const {
    return [this](std::string_view name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
  }

 private:
  std::filesystem::path path_;
  std::map<std::string, std::string, std::less<>> variables_;
};

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

auto load(const CredentialsConfig& config, const Home& home) {
  return load_credentials(config, home.environment());
}
auto load_default(const Home& home) {
  return load(of_source(Source::default_chain), home);
}
auto load_profile(const std::string& name, const Home& home) {
  return load(of_profile(name), home);
}

void expect_keys(const Result<std::shared_ptr<const Credentials>>& result, const std::string& id,
                 const std::string& secret, const std::string& token = "") {
  ASSERT_TRUE(result) << result.error().context;
  const Credentials& credentials = **result;
  EXPECT_EQ(credentials.kind, Credentials::Kind::sigv4);
  EXPECT_EQ(credentials.keys.access_key_id, id);
  EXPECT_EQ(credentials.keys.secret_access_key.reveal(), secret);
  EXPECT_EQ(credentials.keys.session_token.reveal(), token);
  EXPECT_FALSE(credentials.origin.empty());
}

void expect_error(const Result<std::shared_ptr<const Credentials>>& result,
                  const std::vector<std::string>& mentioned) {
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
  EXPECT_EQ((*result)->kind, Credentials::Kind::bearer);
  EXPECT_EQ((*result)->token.reveal(), "ABSK123");
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

TEST(DefaultCredentials, SayWhereTheyLooked) {
  const Home home;
  expect_error(load_default(home),
               {"AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID",
                home.path().string() + "/.aws/config", home.path().string() + "/.aws/credentials"});
}

TEST(DefaultCredentials, NameTheSourcesThatAreMissing) {
  Home web;
  web.set("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token").set("AWS_ROLE_ARN", "arn");
  expect_error(load_default(web), {"AWS_WEB_IDENTITY_TOKEN_FILE", "web identity"});
  Home container;
  container.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");
  expect_error(load_default(container), {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "container"});
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

TEST(ProfileCredentials, ThatNeedAMissingSourceSaySo) {
  for (const std::string key : {"role_arn", "sso_session", "sso_account_id", "credential_process",
                                "web_identity_token_file", "login_session"}) {
    Home home;
    home.config("[profile dev]\n" + key + " = something HIDDEN\n");
    expect_error(load_profile("dev", home), {"\"dev\"", key, "does not support"});
  }
}

TEST(ProfileCredentials, DoNotFallBackFromARoleToTheKeysBesideIt) {
  Home home;
  home.config("[profile dev]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = dev\n");
  home.credentials("[dev]\naws_access_key_id=AKID\naws_secret_access_key=HIDDEN\n");
  expect_error(load_profile("dev", home), {"role_arn"});
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
  expect_error(load_profile("dev", home), {"\"dev\" has no access keys"});
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
  EXPECT_EQ((*from_config)->kind, Credentials::Kind::bearer);
  EXPECT_EQ((*from_config)->token.reveal(), "abc");

  CredentialsConfig by_variable = of_token("");
  by_variable.token_env = "MY_TOKEN";
  expect_error(load(by_variable, home), {"no bearer token", "MY_TOKEN"});
  home.set("MY_TOKEN", "xyz");
  const auto from_variable = load(by_variable, home);
  ASSERT_TRUE(from_variable);
  EXPECT_EQ((*from_variable)->token.reveal(), "xyz");
}

TEST(Credentials, MayBeTheClientsOrNone) {
  const Home home;
  const auto forwarded = load(of_source(Source::forward_bearer), home);
  ASSERT_TRUE(forwarded);
  EXPECT_EQ((*forwarded)->kind, Credentials::Kind::forward_bearer);
  const auto none = load(of_source(Source::none), home);
  ASSERT_TRUE(none);
  EXPECT_EQ((*none)->kind, Credentials::Kind::none);
  EXPECT_TRUE((*none)->token.empty());
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
