// Fetching against real sockets, files and processes; the time is the test's.

#include "proxy/aws/keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/proxy/keeper_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy::aws {
namespace {

using namespace std::chrono_literals;
namespace ssl = boost::asio::ssl;
using boost::asio::ip::tcp;
using testing::HasSubstr;
using testing_support::answer;
using testing_support::eventually;
using Source = routing::CredentialsConfig::Source;

// --- The sources

TEST_F(KeeperTest, FixedCredentialsAreThereAtOnce) {
  home_.set("AWS_ACCESS_KEY_ID", "AKID").set("AWS_SECRET_ACCESS_KEY", "key");
  const auto made = use();
  EXPECT_EQ(id(*made), "AKID");
  EXPECT_EQ(made->slot->status().state, CredentialState::valid);
  EXPECT_EQ(aws_.server().count(), 0U);
}

TEST_F(KeeperTest, InstanceMetadataIsAskedByItsSecondVersion) {
  EXPECT_EQ(fetched(), "IMDS.web-role");
  EXPECT_EQ(aws_.server().request(0).field("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
  EXPECT_EQ(aws_.server().count(), 3U);
}

TEST_F(KeeperTest, InstanceMetadataIsNeverAskedByItsFirstVersion) {
  aws_.answer_with(answer("", "403 Forbidden"));
  EXPECT_THAT(fetched(), HasSubstr("answered 403 to the token request"));
  EXPECT_EQ(aws_.server().count(), aws_.count("/latest/api/token"));
}

TEST_F(KeeperTest, ContainerEndpointGetsTheTokenOfTheFileAsItIsNow) {
  home_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_.url("/container?x=1"));
  home_.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", (home_.path() / "token").string());
  home_.file("token", "one\n");
  const auto made = use();
  EXPECT_EQ(first(made), "CONTAINER.one");
  home_.file("token", "two");
  aws_.expires_at(clock_.now() + 2h);
  advance(50min);
  EXPECT_TRUE(eventually([&] { return id(*made) == "CONTAINER.two"; })) << id(*made);
}

TEST_F(KeeperTest, ContainerTokenThatWouldBreakTheHeaderIsRefused) {
  home_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_.url("/container"));
  home_.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", (home_.path() / "token").string());
  home_.file("token", "HIDDEN\r\nx: y");
  const std::string problem = fetched();
  EXPECT_THAT(problem, HasSubstr("no header may"));
  EXPECT_EQ(problem.find("HIDDEN"), std::string::npos);
  EXPECT_EQ(aws_.server().count(), 0U);
}

TEST_F(KeeperTest, ContainerTokenOfAVariableIsHeldToTheSameRule) {
  home_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_.url("/container"));
  home_.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "HIDDEN\r\nx: y");
  const auto plan = plan_credentials(config_, "us-east-1", home_.environment());
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().context, HasSubstr("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
  EXPECT_EQ(plan.error().context.find("HIDDEN"), std::string::npos);
}

TEST_F(KeeperTest, WebIdentityIsExchangedUnsigned) {
  home_.file("token", "jwt.of.pod\n");
  home_.set("AWS_WEB_IDENTITY_TOKEN_FILE", (home_.path() / "token").string());
  home_.set("AWS_ROLE_ARN", "arn:aws:iam::1:role/pod");
  EXPECT_EQ(fetched(), "STS.pod.by.jwt.of.pod");
  EXPECT_FALSE(aws_.server().request(0).has("authorization"));
  EXPECT_THAT(aws_.server().request(0).body,
              HasSubstr("Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fpod"));
}

TEST_F(KeeperTest, RolesAreAssumedOneWithTheOther) {
  home_.config(
      "[default]\nrole_arn=arn:aws:iam::1:role/top\nsource_profile=mid\nexternal_id=e d\n"
      "duration_seconds=900\n"
      "[profile mid]\nrole_arn=arn:aws:iam::1:role/mid\ncredential_source=Ec2InstanceMetadata\n"
      "role_session_name=me\n");
  EXPECT_EQ(fetched(), "STS.top.by.STS.mid.by.IMDS.web-role");
  EXPECT_THAT(aws_.server().request(3).body, HasSubstr("RoleSessionName=me"));
  EXPECT_THAT(aws_.server().request(3).field("authorization"), HasSubstr("/us-east-1/sts/"));
  EXPECT_EQ(aws_.server().request(3).field("x-amz-security-token"), "token");
  EXPECT_THAT(aws_.server().request(4).body,
              HasSubstr("&RoleSessionName=understudy&DurationSeconds=900&ExternalId=e%20d"));
  EXPECT_EQ(aws_.server().request(4).field("x-amz-security-token"), "token&more");
}

TEST_F(KeeperTest, TheConfiguredRoleComesOnTopOfAnySource) {
  config_.source = Source::imds;
  config_.role_arn = "arn:aws:iam::1:role/candidate";
  EXPECT_EQ(fetched(), "STS.candidate.by.IMDS.web-role");
}

TEST_F(KeeperTest, RefusalsOfStsAreToldByTheirCode) {
  home_.set("AWS_ACCESS_KEY_ID", "AKID").set("AWS_SECRET_ACCESS_KEY", "key");
  config_.role_arn = "arn:aws:iam::1:role/x";
  aws_.answer_with(
      answer("<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
             "<Message>HIDDEN</Message></Error></ErrorResponse>",
             "403 Forbidden"));
  const std::string problem = fetched();
  EXPECT_THAT(problem, HasSubstr("assume role arn:aws:iam::1:role/x: http://127.0.0.1"));
  EXPECT_THAT(problem, HasSubstr("answered 403 AccessDenied"));
  EXPECT_EQ(problem.find("HIDDEN"), std::string::npos);
}

class SingleSignOnTest : public KeeperTest {
 protected:
  SingleSignOnTest() {
    home_.config(
        "[default]\nsso_session=work\nsso_account_id=1\nsso_role_name=dev\n"
        "[sso-session work]\nsso_region=eu-west-1\nsso_start_url=https://start\n");
    std::filesystem::create_directories(home_.path() / ".aws/sso/cache");
  }
  // The file's name is the SHA-1 of "work".
  void token(std::string_view expires, std::string_view more = "") {
    home_.file(kTokenFile, "{\"accessToken\":\"old\",\"expiresAt\":\"" + std::string(expires) +
                               "\"" + std::string(more) + "}");
  }
  static constexpr char kTokenFile[] =
      ".aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json";
  static constexpr std::string_view kRegistered =
      R"(,"refreshToken":"r1","clientId":"c","clientSecret":"s","registrationExpiresAt":"2099-01-01T00:00:00Z")";
};

TEST_F(SingleSignOnTest, ExchangesTheCachedToken) {
  token("2099-01-01T00:00:00Z");
  EXPECT_EQ(fetched(), "SSO.dev.old");
  EXPECT_EQ(aws_.server().count(), 1U);
}

TEST_F(SingleSignOnTest, RenewsATokenThatEndsSoonAndKeepsTheNewOne) {
  token("2027-01-15T08:00:00Z", kRegistered);  // the clock's own time
  EXPECT_EQ(fetched(), "SSO.dev.renewed");
  EXPECT_THAT(aws_.server().request(0).body, HasSubstr("\"refreshToken\":\"r1\""));
  std::ifstream file(home_.path() / kTokenFile);
  const std::string saved((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(saved, HasSubstr("\"accessToken\":\"renewed\""));
  EXPECT_THAT(saved, HasSubstr("\"refreshToken\":\"refresh2\""));
  EXPECT_THAT(saved, HasSubstr("\"expiresAt\":\"2027-01-15T16:00:00Z\""));
  EXPECT_EQ(std::filesystem::status(home_.path() / kTokenFile).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(SingleSignOnTest, AsksPeopleToLogInWhereTheTokenCannotBeRenewed) {
  EXPECT_THAT(fetched(), HasSubstr("run `aws sso login`"));
  token("2020-01-01T00:00:00Z");
  keeper_.look();
  const auto made = use();
  EXPECT_TRUE(eventually([&] { return id(*made).find("has ended") != std::string::npos; }))
      << id(*made);
}

TEST_F(KeeperTest, ProcessPrintsCredentials) {
  config_.source = Source::process;
  config_.command =
      executable("keys",
                 "printf '{\"Version\":1,\"AccessKeyId\":\"%s\",'\\\n"
                 "'\"SecretAccessKey\":\"s\",\"Expiration\":\"2099-01-01T00:00:00Z\"}' \"$1\"") +
      " 'my key'\\''s'";
  EXPECT_THAT(fetched(), HasSubstr("holds a space"));
  config_.command = executable("other",
                               "echo '{\"Version\":1,\"AccessKeyId\":\"P\","
                               "\"SecretAccessKey\":\"s\"}'");
  EXPECT_EQ(fetched(), "P");
}

TEST_F(KeeperTest, ProcessThatGoesWrongIsToldAndLeavesNothingBehind) {
  config_.source = Source::process;
  config_.timeout = 300ms;
  const std::string marker = (home_.path() / "alive").string();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"echo HIDDEN >&2; exit 3", "ended with exit status 3"},
      {"echo HIDDEN", "no JSON object"},
      {"echo '{\"Version\":2}'", "Version is not 1"},
      {"kill -9 $$", "ended with signal 9"},
      {"sleep 60", "did not end within"},
      {"exec 1>&-; sleep 60", "did not end within"},
      {"(sleep 60) & sleep 60", "did not end within"},
      {"while :; do echo HIDDENHIDDENHIDDENHIDDEN; done", "exceeds credentials.max_answer_bytes"},
      {"exit 0", "no JSON object"},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    config_.command = executable("p" + std::to_string(i), cases[i].first);
    const std::string problem = fetched();
    EXPECT_THAT(problem, HasSubstr(cases[i].second)) << cases[i].first;
    EXPECT_EQ(problem.find("HIDDEN"), std::string::npos) << problem;
  }
  config_.command = (home_.path() / "missing").string();
  EXPECT_THAT(fetched(), HasSubstr("No such file"));
}

TEST_F(KeeperTest, ProcessInheritsNoDescriptor) {
  config_.source = Source::process;
  config_.command = executable(
      "fds",
      "n=0; for f in /proc/self/fd/*; do n=$((n+1)); done\n"
      "echo "
      "\"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"N$n\\\",\\\"SecretAccessKey\\\":\\\"s\\\"}\"");
  // Its own three, the script that the shell reads, and the directory that is being listed.
  EXPECT_THAT(fetched(), testing::AnyOf("N4", "N5"));
}

// --- What goes wrong on the wire

struct BadAnswer {
  std::string bytes;
  std::string_view result;  // the metric's label
};

TEST_F(KeeperTest, BadAnswersAreErrorsOfTheirKind) {
  const std::string html = "<!DOCTYPE html><html>HIDDEN <Credentials></html>";
  const std::vector<BadAnswer> cases = {
      {answer(html), "bad_message"},
      {answer(html, "500 Internal Server Error"), "credentials"},
      {answer("", "301 Moved", "location: http://127.0.0.1:1/\r\n"), "credentials"},
      {answer("{}"), "bad_message"},
      {answer(""), "bad_message"},
      {answer(std::string(70'000, 'x')), "too_large"},
      {"HTTP/1.1 200 OK\r\nx: " + std::string(70'000, 'x'), "too_large"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", "bad_message"},
      {"no http\r\n\r\n", "bad_message"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nshort", "timeout"},
      {"hang", "timeout"},
  };
  home_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_.url("/container"));
  config_.timeout = 300ms;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    aws_.answer_with(cases[i].bytes);
    config_.max_answer_bytes = (64u << 10) - i;  // another plan, another fetch
    const std::string name = "u" + std::to_string(i);
    const std::string problem = first(use(name));
    EXPECT_THAT(problem, HasSubstr("none: ")) << i;
    EXPECT_EQ(problem.find("HIDDEN"), std::string::npos) << problem;
    EXPECT_THAT(metrics(), HasSubstr("understudy_credential_refreshes_total{upstream=\"" + name +
                                     "\",result=\"" + std::string(cases[i].result) + "\"} 1"))
        << problem;
  }
}

// One TLS server that answers a request with these bytes; tells what it was sent.
class TlsServer {
 public:
  TlsServer(const testing_support::Identity& identity, std::string answer_bytes)
      : bytes_(std::move(answer_bytes)) {
    const auto text = [](const std::string& pem) { return boost::asio::buffer(pem); };
    context_.use_certificate(text(certificate_pem(identity)), ssl::context::pem);
    context_.use_private_key(text(key_pem(identity)), ssl::context::pem);
    thread_ = std::thread([this] { serve(); });
  }
  ~TlsServer() {
    boost::system::error_code ignored;
    tcp::socket(loop_).connect(acceptor_.local_endpoint(), ignored);  // where nobody came
    thread_.join();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  void serve() {
    boost::system::error_code error;
    ssl::stream<tcp::socket> stream(acceptor_.accept(), context_);
    stream.handshake(ssl::stream_base::server, error);
    if (error) return;
    std::string request;
    boost::asio::read_until(stream, boost::asio::dynamic_buffer(request), "\r\n\r\n", error);
    boost::asio::write(stream, boost::asio::buffer(bytes_), error);
    stream.shutdown(error);
  }
  const std::string bytes_;
  boost::asio::io_context loop_;
  ssl::context context_{ssl::context::tls_server};
  tcp::acceptor acceptor_{loop_, {boost::asio::ip::address_v4::loopback(), 0}};
  std::thread thread_;
};

TEST_F(KeeperTest, StsIsAskedByTlsAndMustBeWhoItSays) {
  const testing_support::ScratchDirectory directory;
  const auto authority = testing_support::make_authority("Test CA");
  const auto identity = testing_support::make_identity(
      {.name = "localhost", .alternative_names = "DNS:localhost", .issuer = &authority});
  home_.set("AWS_ACCESS_KEY_ID", "AKID").set("AWS_SECRET_ACCESS_KEY", "key");
  home_.set("AWS_CA_BUNDLE", directory.write("ca.pem", certificate_pem(authority)));
  config_.role_arn = "arn:aws:iam::1:role/x";
  const std::string sts = answer(
      "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>BY-TLS</AccessKeyId>"
      "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>"
      "2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
      "</AssumeRoleResponse>");
  {
    const TlsServer server(identity, sts);
    home_.set("AWS_ENDPOINT_URL_STS", "https://localhost:" + std::to_string(server.port()));
    EXPECT_EQ(fetched(), "BY-TLS");
  }
  {
    const TlsServer server(identity, sts);
    home_.set("AWS_ENDPOINT_URL_STS", "https://127.0.0.1:" + std::to_string(server.port()));
    EXPECT_THAT(fetched(), HasSubstr("TLS handshake")) << "the certificate is for localhost";
  }
  const TlsServer server(identity, sts);
  home_.set("AWS_ENDPOINT_URL_STS", "https://localhost:" + std::to_string(server.port()));
  home_.set("AWS_CA_BUNDLE", "");
  EXPECT_THAT(fetched(), HasSubstr("TLS handshake")) << "nobody here knows the authority";
}

}  // namespace
}  // namespace understudy::proxy::aws
