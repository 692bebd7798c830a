#include "proxy/quota_poll.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>

#include "tests/simulator/simulator.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"

namespace understudy::testing_support {
namespace {

using proxy::QuotaPoll;
using proxy::QuotaReading;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr const char* kKeys =
    "source: static, access_key_id: AKIDEXAMPLE, secret_access_key: "
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

// One quota a page, so that the list goes on.
constexpr const char* kSimulator =
    "auth: {mode: sigv4, keys: [{access_key_id: AKIDEXAMPLE, secret_access_key: "
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY}]}\n"
    "models: [{id: anthropic.claude-a, family: anthropic}]\n"
    "quotas_a_page: 1\n"
    "quotas:\n"
    "  - {name: \"On-demand model inference requests per minute for Anthropic Claude Sonnet 4.5 "
    "V1\", "
    "value: 1}\n"
    "  - {name: \"Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 "
    "V1\","
    " value: 200}\n"
    "  - {name: \"Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 "
    "V1\", "
    "value: 400000}\n";

ProxySetup setup(std::uint16_t port, const std::string& quota) {
  ProxySetup made{.primary_port = port, .candidate_port = port};
  made.candidate_model = kModel;
  made.candidate_credentials = kKeys;
  made.rewrite = "[{remove: /absent}], quota: {" + quota + "}";
  return made;
}

// A proxy, and what it learns of the quotas of its one route.
struct Polled {
  // Service Quotas are where the candidate is, behind `path`.
  explicit Polled(const ProxySetup& setup, const std::string& path = "")
      : url("http://127.0.0.1:" + std::to_string(setup.candidate_port) + path),
        proxy(setup),
        poll([this] { return proxy.server().snapshot(); },
             [this](std::string_view name) {
               return name == "AWS_ENDPOINT_URL_SERVICE_QUOTAS" ? std::optional(url) : std::nullopt;
             },
             {.look_every = 1h, .timeout = 5s, .try_again = 0s, .now = [this] { return now; }}) {}

  QuotaReading reading() {
    const auto snapshot = proxy.server().snapshot();
    return poll.reading(snapshot->config(), snapshot->config().routes[0]);
  }

  const std::string url;
  std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
  ProxyUnderTest proxy;
  QuotaPoll poll;
};

std::string requests_a_minute(int value) {
  return answer(R"({"Quotas":[{"QuotaName":"Cross-region model inference requests per minute for )"
                R"(Anthropic Claude Sonnet 4.5","Value":)" +
                std::to_string(value) + "}]}");
}

TEST(QuotaPoll, ReadsWhatTheAccountMayAskOfTheCandidateAndTakesItsPart) {
  const auto bedrock = simulator::Simulator::start(kSimulator);
  Polled polled(setup(bedrock->port(), "from: service_quotas, part: 25"));
  EXPECT_THAT(polled.reading().problem, HasSubstr("not been read yet"));
  polled.poll.look();
  const QuotaReading reading = polled.reading();
  EXPECT_EQ(reading.problem, "");
  EXPECT_EQ(reading.requests_per_minute, 50U);
  EXPECT_EQ(reading.tokens_per_minute, 100'000U);
  EXPECT_TRUE(reading.read);
  EXPECT_THAT(
      polled.poll.exposition(),
      HasSubstr("understudy_quota_readings_total{upstream=\"candidate\",result=\"ok\"} 1\n"));
  EXPECT_THAT(polled.poll.exposition(),
              HasSubstr("understudy_quota_read_timestamp_seconds{upstream=\"candidate\"} 1"));
}

TEST(QuotaPoll, SignsForTheServiceAndNamesTheAction) {
  const auto quotas = FakeBedrock::replies(R"({"Quotas": []})");
  Polled polled(setup(quotas->port(), "from: service_quotas"), "/prefix");
  polled.poll.look();
  const FakeRequest seen = quotas->request(0);
  EXPECT_EQ(seen.method(), "POST");
  EXPECT_EQ(seen.target(), "/prefix/");
  EXPECT_EQ(seen.field("x-amz-target"), "ServiceQuotasV20190624.ListServiceQuotas");
  EXPECT_EQ(seen.field("content-type"), "application/x-amz-json-1.1");
  EXPECT_THAT(seen.field("authorization"), HasSubstr("/us-east-1/servicequotas/aws4_request"));
  EXPECT_THAT(seen.field("authorization"),
              HasSubstr("SignedHeaders=content-type;host;x-amz-date;x-amz-target"));
  EXPECT_EQ(nlohmann::json::parse(seen.body)["ServiceCode"], "bedrock");
  EXPECT_THAT(polled.reading().problem, HasSubstr("say quota.name"));
}

TEST(QuotaPoll, KeepsTheLastFiguresWhereServiceQuotasFailAndSaysSo) {
  std::atomic<bool> fails{false};
  FakeBedrock quotas([&](const FakeRequest&, FakePeer& peer) {
    peer.send(fails ? answer(R"({"__type":"AccessDeniedException"})", "400 Bad Request")
                    : requests_a_minute(200));
  });
  Polled polled(setup(quotas.port(), "from: service_quotas"));
  polled.poll.look();
  ASSERT_EQ(polled.reading().requests_per_minute, 200U);
  ASSERT_EQ(polled.reading().problem, "");

  fails = true;
  polled.now += 1h;
  polled.poll.look();
  ASSERT_EQ(quotas.count(), 2U);
  EXPECT_EQ(polled.reading().requests_per_minute, 200U);
  EXPECT_TRUE(polled.reading().read);
  EXPECT_THAT(polled.reading().problem,
              HasSubstr("answered 400: the keys need servicequotas:ListServiceQuotas"));
  EXPECT_THAT(polled.poll.exposition(), HasSubstr("result=\"failed\"} 1\n"));

  fails = false;
  polled.poll.look();
  EXPECT_EQ(polled.reading().problem, "") << "tried again long before the next reading is due";
}

TEST(QuotaPoll, ReadsNoneWhereTheFirstReadingFails) {
  const auto quotas = FakeBedrock::sends(answer("{}", "500 Internal Server Error"));
  Polled polled(setup(quotas->port(), "from: service_quotas"));
  polled.poll.look();
  EXPECT_FALSE(polled.reading().requests_per_minute);
  EXPECT_FALSE(polled.reading().read);
  EXPECT_THAT(polled.reading().problem, HasSubstr("answered 500"));
}

TEST(QuotaPoll, ReadsAgainWhenItIsTime) {
  const auto quotas = FakeBedrock::sends(requests_a_minute(200));
  Polled polled(setup(quotas->port(), "from: service_quotas, every: 1m"));
  polled.poll.look();
  polled.now += 59s;
  polled.poll.look();
  EXPECT_EQ(quotas->count(), 1U);
  polled.now += 1s;
  polled.poll.look();
  EXPECT_EQ(quotas->count(), 2U);
}

TEST(QuotaPoll, TakesNoFigureOfAnotherModelForTheCandidates) {
  const auto quotas = FakeBedrock::sends(requests_a_minute(200));
  Polled polled(setup(quotas->port(), "from: service_quotas, name: Another"));
  polled.poll.look();
  EXPECT_FALSE(polled.reading().requests_per_minute);
  EXPECT_THAT(polled.reading().problem, HasSubstr("per minute for Another"));
}

TEST(QuotaPoll, ForgetsTheFiguresOfOneAccountWhenItsUpstreamGetsTheKeysOfAnother) {
  FakeBedrock quotas([](const FakeRequest& asked, FakePeer& peer) {
    const bool other = asked.field("authorization").find("AKIDANOTHER") != std::string::npos;
    peer.send(requests_a_minute(other ? 10 : 200));
  });
  Polled polled(setup(quotas.port(), "from: service_quotas"));
  polled.poll.look();
  ASSERT_TRUE(polled.proxy.apply(setup(quotas.port(), "from: service_quotas, every: 2h")));
  polled.poll.look();
  EXPECT_EQ(quotas.count(), 1U) << "by the same keys";
  ASSERT_EQ(polled.reading().requests_per_minute, 200U);

  ProxySetup another = setup(quotas.port(), "from: service_quotas, every: 2h");
  another.candidate_credentials =
      "source: static, access_key_id: AKIDANOTHER, secret_access_key: "
      "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  ASSERT_TRUE(polled.proxy.apply(another));
  EXPECT_FALSE(polled.reading().requests_per_minute);
  EXPECT_THAT(polled.reading().problem, HasSubstr("not been read yet"));
  polled.poll.look();
  EXPECT_EQ(polled.reading().requests_per_minute, 10U) << "at once, not when `every` is over";
}

TEST(QuotaPoll, EndsAListThatDoesNot) {
  const auto quotas = FakeBedrock::replies(R"({"Quotas": [], "NextToken": "again"})");
  Polled polled(setup(quotas->port(), "from: service_quotas"));
  polled.poll.look();
  EXPECT_EQ(quotas->count(), 2U) << "the same token twice";
  EXPECT_THAT(polled.reading().problem, HasSubstr("does not end"));
}

TEST(QuotaPoll, AsksNobodyUnlessToldTo) {
  const auto quotas = FakeBedrock::replies("{}");
  Polled polled(setup(quotas->port(), "requests_per_minute: 5"));
  polled.poll.look();
  EXPECT_EQ(quotas->count(), 0U);
}

}  // namespace
}  // namespace understudy::testing_support
