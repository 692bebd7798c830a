#include "metrics/pricing.h"

#include <gtest/gtest.h>

namespace understudy::metrics {
namespace {

using namespace std::chrono;

constexpr sys_days kToday = 2026y / November / 20;

Usage tokens(std::int64_t input, std::int64_t output) {
  Usage usage;
  usage.input = input;
  usage.output = output;
  return usage;
}

double cost(std::string_view model, const Usage& usage, sys_days day = kToday) {
  return Prices::built_in()->cost(model, usage, day).value_or(-1.0);
}

TEST(Prices, KnowTheFiguresOfTheList) {
  constexpr std::int64_t kMillion = 1'000'000;
  EXPECT_NEAR(cost("anthropic.claude-sonnet-4-5-20250929-v1:0", tokens(kMillion, 0)), 3.0, 1e-9);
  EXPECT_NEAR(cost("anthropic.claude-sonnet-4-5-20250929-v1:0", tokens(0, kMillion)), 15.0, 1e-9);
  EXPECT_NEAR(cost("anthropic.claude-opus-5-5", tokens(kMillion, kMillion)), 24.0, 1e-9);
  EXPECT_NEAR(cost("anthropic.claude-haiku-4-5-20251001-v1:0", tokens(kMillion, kMillion)), 6.0,
              1e-9);
  EXPECT_NEAR(cost("amazon.nova-lite-v1:0", tokens(kMillion, kMillion)), 0.30, 1e-9);
}

TEST(Prices, CountCachedTokensAtTheirOwnPrice) {
  Usage usage = tokens(1000, 100);
  usage.cache_read = 10'000;
  usage.cache_write = 2'000;
  EXPECT_NEAR(cost("anthropic.claude-sonnet-4-6", usage),
              (1000 * 3 + 100 * 15 + 10'000 * 0.30 + 2'000 * 3.75) * 1e-6, 1e-12);
}

TEST(Prices, AddTheGeographyPremiumWhereThereIsOne) {
  const Usage usage = tokens(1'000'000, 0);
  EXPECT_NEAR(cost("anthropic.claude-sonnet-5", usage), 2.0, 1e-9);
  EXPECT_NEAR(cost("global.anthropic.claude-sonnet-5", usage), 2.0, 1e-9);
  EXPECT_NEAR(cost("eu.anthropic.claude-sonnet-5", usage), 2.2, 1e-9);
  EXPECT_NEAR(cost("arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
                   "us.anthropic.claude-sonnet-5",
                   usage),
              2.2, 1e-9);
  EXPECT_NEAR(cost("us.anthropic.claude-sonnet-4-20250514-v1:0", usage), 3.0, 1e-9)
      << "before 4.5 there was none";
}

TEST(Prices, FollowTheDay) {
  const Usage usage = tokens(1'000'000, 0);
  const std::string_view model = "anthropic.claude-3-5-sonnet-20241022-v2:0";
  EXPECT_NEAR(cost(model, usage, 2025y / November / 30), 3.0, 1e-9);
  EXPECT_NEAR(cost(model, usage, 2025y / December / 1), 6.0, 1e-9);
}

TEST(Prices, AreUnknownRatherThanZero) {
  const auto prices = Prices::built_in();
  EXPECT_FALSE(prices->cost("anthropic.claude-sonnet-5", Usage{}, kToday));
  Usage only_input;
  only_input.input = 5;
  EXPECT_FALSE(prices->cost("anthropic.claude-sonnet-5", only_input, kToday));
  EXPECT_FALSE(prices->cost("somebody.new-model", tokens(1, 1), kToday));
  EXPECT_FALSE(
      prices->knows("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"));
  Usage cached = tokens(1, 1);
  cached.cache_read = 1;
  EXPECT_FALSE(prices->cost("meta.llama3-8b-instruct-v1:0", cached, kToday)) << "no price for it";
  cached.cache_read = 0;
  EXPECT_TRUE(prices->cost("meta.llama3-8b-instruct-v1:0", cached, kToday));
  EXPECT_TRUE(prices->knows("us.anthropic.claude-sonnet-4-5-20250929-v1:0"));
  EXPECT_EQ(prices->as_of(), "2026-11-20");
}

TEST(CanonicalModel, DropsArnGeographyAndVersion) {
  for (const auto& [id, name] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929"},
           {"us.anthropic.claude-opus-4-6-v1", "anthropic.claude-opus-4-6"},
           {"anthropic.claude-sonnet-5", "anthropic.claude-sonnet-5"},
           {"amazon.nova-pro-v1:0:300k", "amazon.nova-pro"},
           {"mistral.mistral-7b-instruct-v0:2", "mistral.mistral-7b-instruct"},
           {"arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-8b-instruct-v1:0",
            "meta.llama3-8b-instruct"},
           {"vendor.model-vision", "vendor.model-vision"},
           {"openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b"},
           {"mistral.mistral-large-2407", "mistral.mistral-large-2407"},
           {"vendor.model-vision:0", "vendor.model-vision:0"},
           {"", ""}}) {
    EXPECT_EQ(canonical_model(id), name);
  }
}

TEST(PricesFile, ReplacesTheBuiltInOne) {
  const auto loaded = Prices::from_json(
      R"({"as_of":"2027-01-02","models":[{"model":"a.b-v1:0","prices":[{"input":1,"output":2}]}]})",
      "p.json");
  const auto& prices = std::get<std::shared_ptr<const Prices>>(loaded);
  EXPECT_TRUE(prices->knows("a.b"));
  EXPECT_FALSE(prices->knows("anthropic.claude-sonnet-5"));
  EXPECT_EQ(prices->as_of(), "2027-01-02");
}

TEST(PricesFile, SaysWhatIsWrongAndWhere) {
  for (
      const auto& [json, word] : std::vector<std::pair<std::string, std::string>>{
          {"", "parse error"},
          {"[]", "p.json"},
          {R"({"as_of":"yesterday","models":[]})", "yesterday"},
          {R"({"as_of":"2026-02-31","models":[]})", "2026-02-31"},
          {R"({"as_of":"2026-01-01","models":[{"model":"a.b","prices":[]}]})", "a.b"},
          {R"({"as_of":"2026-01-01","models":[{"model":"a.b","prices":[{"input":-1,"output":1}]}]})",
           "a.b"},
          {R"({"as_of":"2026-01-01","models":[{"model":"a.b","prices":[{"input":"x","output":1}]}]})",
           "a.b"},
          {R"({"as_of":"2026-01-01","models":[{"model":"a.b","prices":[{"input":1,"output":1}]},
               {"model":"a.b-v1","prices":[{"input":1,"output":1}]}]})",
           "twice"}}) {
    const auto loaded = Prices::from_json(json, "p.json");
    ASSERT_TRUE(std::holds_alternative<PricesProblem>(loaded)) << json;
    const std::string what = std::get<PricesProblem>(loaded).what;
    EXPECT_NE(what.find("p.json"), std::string::npos) << what;
    EXPECT_NE(what.find(word), std::string::npos) << what;
  }
}

}  // namespace
}  // namespace understudy::metrics
