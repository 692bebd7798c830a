// The table that compares hundreds of requests with botocore is tests/clients/sigv4_table.py. Here:
// what AWS publishes, what real clients sent, and what only a caller in the same process can see.

#include "proxy/sigv4.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/sigv4_canonical.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using std::chrono::system_clock;

// Of AWS's published test suite.
const AwsKeys kSuiteKeys{"AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                         Secret()};
constexpr std::string_view kTarget = "/model/anthropic.claude-v2%3A1/invoke";

// "20150830T123600Z" as a point in time.
system_clock::time_point at(const std::string& stamp) {
  const auto number = [&stamp](std::size_t begin, std::size_t size) {
    return std::stoi(stamp.substr(begin, size));
  };
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(4, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(6, 2)))};
  return std::chrono::sys_days(day) + std::chrono::hours(number(9, 2)) +
         std::chrono::minutes(number(11, 2)) + std::chrono::seconds(number(13, 2));
}

struct Request {
  std::string method = "GET";
  std::string target = "/";
  std::vector<routing::Field> fields = {{"Host", "example.amazonaws.com"}};
  std::string body = "";
  AwsKeys keys = kSuiteKeys;
  std::string region = "us-east-1";
  std::string service = "service";
  std::string stamp = "20150830T123600Z";
};

std::string head_of(Signer& signer, const Request& request) {
  std::string head;
  signer.sign({.method = request.method,
               .target = request.target,
               .fields = request.fields,
               .body_hash = signer.hash(request.body),
               .now = at(request.stamp)},
              request.keys, request.region, request.service, head);
  return head;
}

std::string head_of(const Request& request) {
  Signer signer;
  return head_of(signer, request);
}

std::string signature_of(const Request& request) {
  const std::string head = head_of(request);
  const std::string mark = "Signature=";
  const std::size_t begin = head.find(mark) + mark.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

TEST(Signer, HashesAsSha256) {
  Signer signer;
  const Sha256 empty = signer.hash("");
  EXPECT_EQ(empty[0], 0xe3);  // e3b0c442...
  EXPECT_EQ(empty[31], 0x55);
  const Sha256 abc = signer.hash("abc");
  EXPECT_EQ(abc[0], 0xba);  // FIPS 180-2: ba7816bf...
  EXPECT_EQ(abc[31], 0xad);
  EXPECT_EQ(signer.hash(""), empty);
}

// Signatures of AWS's test suite: get-vanilla, get-vanilla-query-order-key-case.
TEST(Signer, AgreesWithThePublishedSuite) {
  EXPECT_EQ(signature_of({}), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(signature_of({.target = "/?Param2=value2&Param1=value1"}),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST(Signer, AppendsDateTokenAndAuthorizationToTheHead) {
  Signer signer;
  std::string head = "POST / HTTP/1.1\r\nhost: example.amazonaws.com\r\n";
  const std::string before = head;
  AwsKeys keys = kSuiteKeys;
  keys.session_token = Secret("session/token==");
  const Request request;
  signer.sign({.method = "POST",
               .target = "/",
               .fields = request.fields,
               .body_hash = signer.hash(""),
               .now = at(request.stamp)},
              keys, "us-east-1", "bedrock", head);
  const std::string expected =
      "x-amz-date: 20150830T123600Z\r\n"
      "x-amz-security-token: session/token==\r\n"
      "authorization: AWS4-HMAC-SHA256 "
      "Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, "
      "SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=";
  ASSERT_EQ(head.substr(0, before.size()), before);
  EXPECT_EQ(head.substr(before.size(), expected.size()), expected);
  EXPECT_EQ(head.size(), before.size() + expected.size() + 64 + 2);
  EXPECT_TRUE(head.ends_with("\r\n"));
}

TEST(Signer, SignsAsTheClientsOfTheCorpusDid) {
  std::ifstream file(std::string(UNDERSTUDY_CORPUS) + "/sigv4/clients.json");
  const json cases = json::parse(file);
  ASSERT_EQ(cases.size(), 18u);
  Signer signer;
  for (const json& recorded : cases) {
    const auto text = [&recorded](const char* key) { return recorded.value(key, std::string()); };
    const auto pairs =
        recorded.at("fields").get<std::vector<std::pair<std::string, std::string>>>();
    Request request{.method = text("method"),
                    .target = text("target"),
                    .fields = {},
                    .body = text("body"),
                    .keys = {text("access_key"), Secret(text("secret")), Secret(text("token"))},
                    .region = text("region"),
                    .service = text("service"),
                    .stamp = text("date")};
    for (const auto& [name, value] : pairs) request.fields.push_back({name, value});
    const std::string head = head_of(signer, request);
    EXPECT_NE(head.find("\r\nauthorization: " + text("authorization") + "\r\n"), std::string::npos)
        << text("name") << "\n"
        << head;
  }
}

TEST(Signer, GivesTheSameHeadAgainAndAgain) {
  Signer signer;
  const Request request{.method = "POST", .target = std::string(kTarget), .body = "{}"};
  const std::string first = head_of(signer, request);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(head_of(signer, request), first);
}

// Each of these is part of the key or of the scope; a cache that forgets one signs with another's
// key.
TEST(Signer, NeverUsesAKeyOfAnotherScope) {
  const Request first;
  std::vector<Request> others(5);
  others[0].region = "eu-west-1";
  others[1].service = "bedrock";
  others[2].stamp = "20150831T000000Z";
  others[3].keys.secret_access_key = Secret("another secret");
  others[4].keys.access_key_id = "ANOTHERID";
  Signer signer;
  for (const Request& other : others) {
    EXPECT_EQ(head_of(signer, first), head_of(first));
    EXPECT_EQ(head_of(signer, other), head_of(other));
  }
}

TEST(Signer, KeepsSigningRightWithMoreScopesThanItRemembers) {
  Signer signer;
  for (int round = 0; round < 3; ++round) {
    for (int region = 0; region < 20; ++region) {
      const Request request{.region = "region-" + std::to_string(region)};
      ASSERT_EQ(head_of(signer, request), head_of(request)) << region;
    }
  }
}

TEST(Signer, IsNotDisturbedByOthersInOtherThreads) {
  const Request request{.method = "POST", .target = std::string(kTarget), .body = "{}"};
  const std::string expected = head_of(request);
  std::vector<std::string> heads(4);
  std::vector<std::thread> threads;
  for (std::string& head : heads) {
    threads.emplace_back([&head, &request] {
      Signer signer;
      for (int i = 0; i < 50; ++i) head = head_of(signer, request);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& head : heads) EXPECT_EQ(head, expected);
}

TEST(Signer, DependsOnEveryPartOfTheRequest) {
  const Request base;
  Request changed = base;
  changed.method = "POST";
  EXPECT_NE(signature_of(changed), signature_of(base));
  changed = base;
  changed.target = "/a";
  EXPECT_NE(signature_of(changed), signature_of(base));
  changed = base;
  changed.target = "/?a";
  EXPECT_NE(signature_of(changed), signature_of(base));
  changed = base;
  changed.fields[0].value = "other.amazonaws.com";
  EXPECT_NE(signature_of(changed), signature_of(base));
  changed = base;
  changed.body = "x";
  EXPECT_NE(signature_of(changed), signature_of(base));
  changed = base;
  changed.stamp = "20150830T123601Z";
  EXPECT_NE(signature_of(changed), signature_of(base));
}

TEST(Signer, ReplacesTheClientsSignature) {
  Request request;
  const std::string expected = head_of(request);
  request.fields.push_back({"X-Amz-Date", "20110909T233600Z"});
  request.fields.push_back({"authorization", "AWS4-HMAC-SHA256 of somebody else"});
  request.fields.push_back({"X-AMZ-SECURITY-TOKEN", "of somebody else"});
  EXPECT_EQ(head_of(request), expected);
}

std::string canonical_path(std::string_view path) {
  std::string out;
  append_canonical_path(path, out);
  return out;
}

TEST(CanonicalPath, IsEncodedOnceMore) {
  EXPECT_EQ(canonical_path("/model/a%3A0/invoke"), "/model/a%253A0/invoke");
  EXPECT_EQ(canonical_path("/model/a:0/invoke"), "/model/a%3A0/invoke");
  EXPECT_EQ(canonical_path("/model/x%2Fy/invoke"), "/model/x%252Fy/invoke");
  EXPECT_EQ(canonical_path("/a-Z0.9_~"), "/a-Z0.9_~");
  EXPECT_EQ(canonical_path("/\xc3\xa9 \x7f"), "/%C3%A9%20%7F");
  EXPECT_EQ(canonical_path(std::string_view("/\0", 2)), "/%00");
}

TEST(CanonicalPath, LeavesOutEmptyAndDotSegments) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "/"},          {"/", "/"},        {"//", "/"},          {"///a//b", "/a/b"},
      {"/./a", "/a"},     {"/a/.", "/a"},    {"/a/./", "/a/"},     {"/a/..", "/"},
      {"/a/../", "/"},    {"/a/b/..", "/a"}, {"/a/b/../", "/a/"},  {"/..", "/"},
      {"/../../a", "/a"}, {"/...", "/..."},  {"/.a/b.", "/.a/b."}, {"/a%2F..", "/a%252F.."},
  };
  for (const auto& [path, expected] : cases) EXPECT_EQ(canonical_path(path), expected) << path;
}

TEST(CanonicalPath, IsAppended) {
  std::string out = "GET\n/kept/";
  append_canonical_path("/../a", out);
  EXPECT_EQ(out, "GET\n/kept//a");
}

TEST(CanonicalQuery, IsSortedByNameThenValueAndOtherwiseAsSent) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"a", "a="},
      {"a=", "a="},
      {"b=1&a=2", "a=2&b=1"},
      {"a=2&a=10&a", "a=&a=10&a=2"},
      {"ab=1&a=2", "a=2&ab=1"},
      {"a=b=c", "a=b=c"},
      {"&", "=&="},
      {"t=2023-11-14T22%3A13%3A20Z", "t=2023-11-14T22%3A13%3A20Z"},
      {"\xc3\xa9=1&z=2", "z=2&\xc3\xa9=1"},
  };
  std::vector<QueryPair> scratch;
  for (const auto& [query, expected] : cases) {
    std::string out;
    append_canonical_query(query, scratch, out);
    EXPECT_EQ(out, expected) << query;
  }
}

TEST(CanonicalValue, HasNoOuterAndSingleInnerBlanks) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},        {"  \t ", ""},          {"a", "a"},     {" a ", "a"},
      {"a  b", "a b"}, {"a \t b\tc", "a b c"}, {"a b", "a b"}, {"\"a   b\"", "\"a b\""},
  };
  for (const auto& [value, expected] : cases) {
    std::string out;
    append_canonical_value(value, out);
    EXPECT_EQ(out, expected) << value;
  }
}

}  // namespace
}  // namespace understudy::proxy
