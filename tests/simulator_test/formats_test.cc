// Frames, identifiers, base64 and signatures: the parts that need no network.

#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/simulator/authentication.h"
#include "tests/simulator/base64.h"
#include "tests/simulator/event_stream_encoder.h"
#include "tests/simulator/fault.h"
#include "tests/simulator/model_table.h"
#include "tests/simulator/operations.h"

namespace understudy::simulator {
namespace {

std::string file(const std::string& name) {
  std::ifstream stream{std::string{UNDERSTUDY_CORPUS} + "/" + name, std::ios::binary};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

TEST(EventStreamEncoder, WritesTheBytesOfRecordedFrames) {
  EXPECT_EQ(encode_event("messageStart", R"({"role":"assistant"})"),
            file("wire/frames/minimal-messageStart.bin"));
  const std::string exception =
      encode_exception("throttlingException", R"({"message":"simulated throttlingException"})");
  const std::string recorded = file("wire/frames/exception-throttlingException.bin");
  ASSERT_GE(recorded.size(), exception.size());
  EXPECT_EQ(exception, recorded.substr(recorded.size() - exception.size()));
}

TEST(EventStreamEncoder, PadsWithTwoToSixtyOneCharacters) {
  for (std::uint64_t draw = 0; draw < 200; ++draw) {
    EXPECT_GE(padding(draw).size(), 2u);
    EXPECT_LE(padding(draw).size(), 61u);
    EXPECT_TRUE(padding(draw).starts_with("ab"));
  }
}

TEST(Base64, FollowsTheRfcAndReadsItsOwnOutput) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(base64_decode(encoded), plain);
  }
  EXPECT_FALSE(base64_decode("Zm9v*"));
  EXPECT_FALSE(base64_decode("Z"));
}

TEST(Operations, AreReadFromRawPathsWithIdsOfEveryForm) {
  const auto plain = parse_operation("POST", "/model/us.anthropic.claude-v1%3A0/converse");
  EXPECT_EQ(plain.operation, Operation::converse);
  EXPECT_EQ(plain.resource, "us.anthropic.claude-v1:0");
  const auto arn =
      parse_operation("POST", "/model/arn:aws:bedrock:us-east-1:1:inference-profile%2Fa.b/invoke");
  EXPECT_EQ(arn.operation, Operation::invoke_model);
  EXPECT_EQ(arn.resource, "arn:aws:bedrock:us-east-1:1:inference-profile/a.b");
  const auto raw_slash =
      parse_operation("POST", "/model/arn:aws:bedrock::1:inference-profile/a.b/converse-stream");
  EXPECT_EQ(raw_slash.operation, Operation::converse_stream);
  EXPECT_EQ(raw_slash.resource, "arn:aws:bedrock::1:inference-profile/a.b");
  EXPECT_EQ(parse_operation("GET", "/async-invoke").operation, Operation::list_async_invokes);
  EXPECT_EQ(parse_operation("POST", "/guardrail-checks/invoke").operation,
            Operation::invoke_guardrail_checks);
  EXPECT_EQ(parse_operation("GET", "/model/a/converse").operation, Operation::unknown);
  EXPECT_EQ(parse_operation("POST", "/model//converse").operation, Operation::unknown);
  EXPECT_EQ(parse_operation("POST", "/model/a/fly").operation, Operation::unknown);
}

TEST(ModelReferences, TakeProfilesAndArnsApart) {
  const auto profile = parse_model_reference("us.anthropic.claude-x");
  EXPECT_EQ(profile.base, "anthropic.claude-x");
  EXPECT_TRUE(profile.profile);
  EXPECT_FALSE(parse_model_reference("anthropic.claude-x").profile);
  EXPECT_FALSE(
      parse_model_reference("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-x")
          .profile);
  EXPECT_TRUE(parse_model_reference("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc")
                  .profile);
}

TEST(ModelReferences, MatchGlobs) {
  EXPECT_TRUE(glob_match("*claude*", "us.anthropic.claude-x"));
  EXPECT_TRUE(glob_match("a*b*c", "aXbYbZc"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_FALSE(glob_match("a*b", "abc"));
  EXPECT_FALSE(glob_match("a", "ab"));
}

TEST(Faults, AreReadByNameWithTheirNumbers) {
  EXPECT_EQ(parse_fault("hang")->kind, FaultKind::hang);
  EXPECT_EQ(parse_fault("truncate_midstream:7")->count, 7u);
  const auto exception = parse_fault("exception_midstream:modelStreamErrorException:3");
  ASSERT_TRUE(exception);
  EXPECT_EQ(exception->exception, "modelStreamErrorException");
  EXPECT_EQ(exception->count, 3u);
  EXPECT_FALSE(parse_fault("explode"));
  EXPECT_FALSE(parse_fault("truncate_midstream:x"));
}

// Requests that real SDKs signed, held against this verifier at the time they were sent.
class RecordedSignatures : public ::testing::Test {
 protected:
  struct Recorded {
    std::string name;
    Request request;
    Auth auth;
    std::chrono::system_clock::time_point when;
  };

  static std::vector<Recorded> all() {
    std::vector<Recorded> out;
    for (const auto& entry : nlohmann::json::parse(file("sigv4/clients.json"))) {
      Recorded recorded;
      recorded.name = entry["name"];
      recorded.request.method = entry["method"];
      recorded.request.target = entry["target"];
      recorded.request.body = entry["body"].is_string() ? entry["body"].get<std::string>() : "";
      for (const auto& field : entry["fields"]) {
        const std::string name = field[0];
        recorded.request.headers.emplace_back(name == ":authority" ? "Host" : name, field[1]);
      }
      recorded.request.headers.emplace_back("X-Amz-Date", entry["date"]);
      recorded.request.headers.emplace_back("Authorization", entry["authorization"]);
      const std::string token = entry.value("token", "");
      if (!token.empty()) recorded.request.headers.emplace_back("X-Amz-Security-Token", token);
      recorded.auth = {.mode = AuthMode::sigv4,
                       .region = entry["region"],
                       .service = entry["service"],
                       .keys = {},
                       .bearer_tokens = {},
                       .expired_bearer_tokens = {}};
      recorded.auth.keys = {
          {.id = entry["access_key"], .secret = entry["secret"], .session_token = token}};
      std::tm date{};
      std::istringstream{entry["date"].get<std::string>()} >>
          std::get_time(&date, "%Y%m%dT%H%M%SZ");
      recorded.when = std::chrono::system_clock::from_time_t(timegm(&date));
      out.push_back(std::move(recorded));
    }
    return out;
  }

  static std::string verdict(const Recorded& recorded,
                             std::chrono::seconds later = std::chrono::seconds{1}) {
    const auto error = authenticate(recorded.auth, recorded.request,
                                    sha256_hex(recorded.request.body), recorded.when + later);
    return error ? std::string{error->type} + ": " + error->message : "ok";
  }
};

TEST_F(RecordedSignatures, AreAccepted) {
  const auto recordings = all();
  ASSERT_GE(recordings.size(), 15u);
  for (const Recorded& recorded : recordings) EXPECT_EQ(verdict(recorded), "ok") << recorded.name;
}

TEST_F(RecordedSignatures, AreRefusedWhenAnythingSignedChanges) {
  for (const Recorded& recorded : all()) {
    Recorded body = recorded;
    body.request.body += " ";
    EXPECT_TRUE(verdict(body).starts_with("InvalidSignatureException")) << recorded.name;
    Recorded path = recorded;
    path.request.target.insert(1, "x");
    EXPECT_TRUE(verdict(path).starts_with("InvalidSignatureException")) << recorded.name;
    Recorded secret = recorded;
    secret.auth.keys.front().secret += "x";
    EXPECT_TRUE(verdict(secret).starts_with("InvalidSignatureException")) << recorded.name;
    Recorded token = recorded;
    token.auth.keys.front().session_token += "x";
    EXPECT_TRUE(verdict(token).starts_with("UnrecognizedClientException")) << recorded.name;
  }
}

TEST_F(RecordedSignatures, AreRefusedByClockRegionServiceAndKey) {
  const Recorded recorded = all().front();
  using std::chrono::seconds;
  EXPECT_EQ(verdict(recorded, seconds{299}), "ok");
  EXPECT_EQ(verdict(recorded, seconds{-299}), "ok");
  EXPECT_TRUE(
      verdict(recorded, seconds{301}).starts_with("InvalidSignatureException: Signature expired:"));
  EXPECT_TRUE(verdict(recorded, seconds{-301})
                  .starts_with("InvalidSignatureException: Signature not yet current:"));
  Recorded region = recorded;
  region.auth.region = "eu-west-1";
  EXPECT_TRUE(verdict(region).starts_with(
      "InvalidSignatureException: Credential should be scoped to a valid region"));
  Recorded service = recorded;
  service.auth.service = "bedrock-mantle";
  EXPECT_TRUE(verdict(service).starts_with(
      "InvalidSignatureException: Credential should be scoped to correct service"));
  Recorded expired = recorded;
  expired.auth.keys.front().expired = true;
  EXPECT_TRUE(verdict(expired).starts_with("ExpiredTokenException"));
  Recorded unknown = recorded;
  unknown.auth.keys.clear();
  EXPECT_TRUE(verdict(unknown).starts_with("UnrecognizedClientException"));
}

TEST(Bearer, KeysAreKnownExpiredMalformedOrWrong) {
  const Auth auth{.mode = AuthMode::bearer,
                  .keys = {},
                  .bearer_tokens = {"bedrock-api-key-good"},
                  .expired_bearer_tokens = {"bedrock-api-key-old"}};
  const auto message = [&](const std::string& authorization) {
    Request request;
    if (!authorization.empty()) request.headers.emplace_back("authorization", authorization);
    const auto error = authenticate(auth, request, "", std::chrono::system_clock::now());
    return error ? error->message : "ok";
  };
  EXPECT_EQ(message("Bearer bedrock-api-key-good"), "ok");
  EXPECT_EQ(message("Bearer bedrock-api-key-old"), "Bearer Token has expired");
  EXPECT_EQ(message("Bearer ABSKunknown"),
            "Authentication failed: Please make sure your API Key is valid.");
  EXPECT_EQ(message("Bearer nonsense"),
            "Invalid API Key format: Must start with pre-defined prefix");
  EXPECT_EQ(message("AWS4-HMAC-SHA256 Credential=a"), "Missing Authentication Token");
  EXPECT_EQ(message(""), "Missing Authentication Token");
}

}  // namespace
}  // namespace understudy::simulator
