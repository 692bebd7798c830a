#include "proxy/service_quotas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace understudy::proxy {
namespace {

std::vector<ServiceQuota> quotas_of(std::string_view kind, std::string_view called) {
  const std::string before = std::string(kind) + " model inference ";
  const std::string after = " per minute for " + std::string(called);
  return {{before + "requests" + after, 200}, {before + "tokens" + after, 400'000}};
}

constexpr ModelQuota kFound{.requests_per_minute = 200, .tokens_per_minute = 400'000};

struct Named {
  const char* id;
  const char* name;
};

class ModelNames : public testing::TestWithParam<Named> {};

TEST_P(ModelNames, AreTheSameWordsInAnyOrder) {
  EXPECT_EQ(quota_of_model(quotas_of("On-demand", GetParam().name), GetParam().id), kFound);
}

INSTANTIATE_TEST_SUITE_P(
    Of, ModelNames,
    testing::Values(
        Named{"anthropic.claude-3-5-sonnet-20240620-v1:0", "Anthropic Claude 3.5 Sonnet"},
        Named{"anthropic.claude-3-5-sonnet-20241022-v2:0", "Anthropic Claude 3.5 Sonnet V2"},
        Named{"anthropic.claude-sonnet-4-5-20250929-v1:0", "Anthropic Claude Sonnet 4.5 V1"},
        Named{"anthropic.claude-opus-4-1-20250805-v1:0", "Anthropic Claude Opus 4.1"},
        Named{"anthropic.claude-sonnet-5", "Anthropic Claude Sonnet 5 V1"},
        Named{"amazon.nova-lite-v1:0", "Amazon Nova Lite"},
        Named{"meta.llama3-1-70b-instruct-v1:0", "Meta Llama 3.1 70B Instruct"},
        Named{"mistral.mistral-large-2407-v1:0", "Mistral Large 2407"}));

class OtherModels : public testing::TestWithParam<Named> {};

TEST_P(OtherModels, AreNotTakenForIt) {
  EXPECT_EQ(quota_of_model(quotas_of("On-demand", GetParam().name), GetParam().id), ModelQuota{});
}

INSTANTIATE_TEST_SUITE_P(Of, OtherModels,
                         testing::Values(Named{"anthropic.claude-3-5-sonnet-20240620-v1:0",
                                               "Anthropic Claude 3.5 Sonnet V2"},
                                         Named{"anthropic.claude-3-5-sonnet-20241022-v2:0",
                                               "Anthropic Claude 3.5 Sonnet"},
                                         Named{"anthropic.claude-sonnet-4-20250514-v1:0",
                                               "Anthropic Claude Sonnet 4.5 V1"},
                                         Named{"anthropic.claude-sonnet-4-20250514-v1:0",
                                               "Anthropic Claude Sonnet 4 V1 1M Context Length"},
                                         Named{"amazon.nova-lite-v1:0", "Amazon Nova Pro"}));

TEST(ServiceQuotas, AreThoseOfTheWayThatTheModelIsCalled) {
  std::vector<ServiceQuota> all;
  double value = 0;
  for (const char* kind : {"On-demand", "Cross-region", "Global cross-region"}) {
    for (ServiceQuota quota : quotas_of(kind, "Anthropic Claude Sonnet 4.5 V1")) {
      quota.value = ++value;
      all.push_back(quota);
    }
  }
  const std::string id = "anthropic.claude-sonnet-4-5-20250929-v1:0";
  EXPECT_EQ(quota_of_model(all, id).requests_per_minute, 1U);
  EXPECT_EQ(quota_of_model(all, "us." + id).requests_per_minute, 3U);
  EXPECT_EQ(quota_of_model(all, "global." + id).tokens_per_minute, 6U);
  EXPECT_EQ(quota_of_model(all, "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu." + id)
                .tokens_per_minute,
            4U);
  EXPECT_EQ(
      quota_of_model(all, "arn:aws:bedrock:us-east-1::foundation-model/" + id).requests_per_minute,
      1U);
}

TEST(ServiceQuotas, AreFoundByAnotherNameWhereOneIsGiven) {
  const auto all = quotas_of("Cross-region", "Anthropic Claude, the fifth");
  EXPECT_EQ(quota_of_model(all, "us.anthropic.claude-sonnet-5"), ModelQuota{});
  EXPECT_EQ(quota_of_model(all, "us.anthropic.claude-sonnet-5", "anthropic claude, the fifth"),
            kFound);
  EXPECT_EQ(quota_of_model(all, "anthropic.claude-sonnet-5", "anthropic claude, the fifth"),
            ModelQuota{})
      << "called in another way";
}

TEST(ServiceQuotas, MayAllowNothing) {
  auto all = quotas_of("On-demand", "Amazon Nova Lite");
  all[0].value = 0;
  all[1].value = 1.5;
  EXPECT_EQ(quota_of_model(all, "amazon.nova-lite-v1:0"),
            (ModelQuota{.requests_per_minute = 0, .tokens_per_minute = 1}));
  all[1].value = -4;
  EXPECT_FALSE(quota_of_model(all, "amazon.nova-lite-v1:0").tokens_per_minute);
}

TEST(ServiceQuotas, AreReadPageByPageAndOnlyThoseOfInference) {
  const auto page = read_quota_page(R"({"NextToken": "more", "Quotas": [
    {"QuotaName": "On-demand model inference requests per minute for Amazon Nova Lite", "Value": 60.0,
     "QuotaCode": "L-12345678", "Adjustable": true, "Period": {"PeriodUnit": "MINUTE", "PeriodValue": 1}},
    {"QuotaName": "Model invocation max tokens per day for Amazon Nova Lite", "Value": 9},
    {"QuotaName": "Guardrails per account", "Value": 100.0},
    {"QuotaName": 7, "Value": 1}, {"Value": 1}, "text", null]})");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->next_token, "more");
  ASSERT_EQ(page->quotas.size(), 1U);
  EXPECT_EQ(page->quotas[0].value, 60.0);
  EXPECT_EQ(read_quota_page(R"({"Quotas": []})")->next_token, "");
}

TEST(ServiceQuotas, AreNotReadOutOfWhatIsNoPage) {
  for (const std::string& body :
       {std::string(), std::string("[]"), std::string("{}"), std::string(R"({"Quotas": 7})"),
        std::string(R"({"Quotas": [)"), std::string(2'000, '['),
        R"({"Quotas": [], "NextToken": ")" + std::string(5'000, 'x') + "\"}"})
    EXPECT_FALSE(read_quota_page(body)) << body.substr(0, 40);
}

TEST(ServiceQuotas, AreAskedForWithTheTokenOfThePageBefore) {
  const auto first = nlohmann::json::parse(quota_page_question(""));
  EXPECT_EQ(first["ServiceCode"], "bedrock");
  EXPECT_FALSE(first.contains("NextToken"));
  EXPECT_EQ(nlohmann::json::parse(quota_page_question("a\"b"))["NextToken"], "a\"b");
}

}  // namespace
}  // namespace understudy::proxy
