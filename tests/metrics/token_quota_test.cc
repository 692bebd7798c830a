#include "metrics/token_quota.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::metrics {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string problem_of(std::string_view json) {
  const auto read = QuotaRules::from_json(json, "quotas.json");
  const auto* problem = std::get_if<QuotaRulesProblem>(&read);
  return problem == nullptr ? "" : problem->what;
}

TEST(QuotaRules, KnowHowManyTokensEachGenerationBurnsForOne) {
  const auto rules = QuotaRules::built_in();
  EXPECT_EQ(rules->of("anthropic.claude-3-5-sonnet-20241022-v2:0").output_burn_down, 1U);
  EXPECT_EQ(rules->of("us.anthropic.claude-3-7-sonnet-20250219-v1:0").output_burn_down, 5U);
  EXPECT_EQ(rules->of("arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-opus-4-1-"
                      "20250805-v1:0"),
            (QuotaRule{.output_burn_down = 5, .max_output_tokens = 32'000}));
  EXPECT_EQ(rules->of("global.anthropic.claude-opus-4-5-20251101-v1:0").output_burn_down, 5U);
  EXPECT_EQ(rules->of("anthropic.claude-opus-4-7").output_burn_down, 5U);
  EXPECT_EQ(rules->of("us.anthropic.claude-opus-4-8").output_burn_down, 15U);
  EXPECT_EQ(rules->of("anthropic.claude-sonnet-5").output_burn_down, 10U);
  EXPECT_EQ(rules->of("anthropic.claude-opus-5-5").output_burn_down, 10U);
  EXPECT_EQ(rules->of("anthropic.claude-something-9").output_burn_down, 15U) << "as the dearest";
  EXPECT_EQ(rules->of("amazon.nova-lite-v1:0").output_burn_down, 1U);
  EXPECT_EQ(rules->of("somebody.else-v1:0").output_burn_down, 1U);
}

TEST(QuotaRules, AreReplacedByAFileWhoseFirstPatternHolds) {
  const auto read = QuotaRules::from_json(
      R"({"as_of": "2027-01-01", "models": [
        {"models": "a.b-*", "output_burn_down": 15, "max_output_tokens": 100},
        {"models": "a.*", "output_burn_down": 10, "max_output_tokens": 200}]})",
      "quotas.json");
  const auto rules = std::get<std::shared_ptr<const QuotaRules>>(read);
  EXPECT_EQ(rules->as_of(), "2027-01-01");
  EXPECT_EQ(rules->of("us.a.b-c-v1:0"), (QuotaRule{15, 100}));
  EXPECT_EQ(rules->of("a.c"), (QuotaRule{10, 200}));
  EXPECT_EQ(rules->of("b.c"), QuotaRule{});
}

TEST(QuotaRules, SayWhatIsWrongWithAFile) {
  EXPECT_THAT(problem_of("{"), StartsWith("quotas.json: "));
  EXPECT_THAT(problem_of(R"({"as_of": "soon", "models": []})"), HasSubstr("no day"));
  EXPECT_THAT(problem_of(R"({"as_of": "2027-01-01", "models": []})"), HasSubstr("1 to 1024"));
  EXPECT_THAT(problem_of(R"({"as_of": "2027-01-01", "models": [{"models": "a.*",
                             "output_burn_down": 0, "max_output_tokens": 1}]})"),
              HasSubstr("models 'a.*': output_burn_down must be between 1 and 1000"));
  EXPECT_THAT(problem_of(R"({"as_of": "2027-01-01", "models": [{"models": "a.*",
                             "output_burn_down": 5}]})"),
              HasSubstr("max_output_tokens"));
}

TEST(TokenQuota, ReservesWhatMayBeAnsweredAndCountsWhatWas) {
  const QuotaRule rule{.output_burn_down = 5, .max_output_tokens = 1000};
  EXPECT_EQ(reserved_tokens(70, 30, rule), 100U);
  EXPECT_EQ(reserved_tokens(70, std::nullopt, rule), 1070U);
  EXPECT_EQ(reserved_tokens(70, UINT64_MAX, rule), 1'000'000'070U) << "it does not wrap around";
  Usage usage;
  EXPECT_FALSE(counted_tokens(usage, rule)) << "an unknown is no zero";
  usage.input = 70;
  usage.output = 20;
  usage.cache_read = 1000;
  usage.cache_write = 10;
  EXPECT_EQ(counted_tokens(usage, rule), 180U) << "what a cache gave is free in the end";
  EXPECT_EQ(whole_input(usage), 1080U) << "and reserved in the beginning";
}

}  // namespace
}  // namespace understudy::metrics
