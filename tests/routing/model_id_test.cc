#include "routing/model_id.h"

#include <gtest/gtest.h>

#include "routing/glob.h"

namespace understudy::routing {
namespace {

TEST(FoundationModel, IsWhatIsLeftWithoutArnAndGeography) {
  EXPECT_EQ(foundation_model("anthropic.claude-sonnet-5"), "anthropic.claude-sonnet-5");
  EXPECT_EQ(foundation_model("us.anthropic.claude-sonnet-5"), "anthropic.claude-sonnet-5");
  EXPECT_EQ(foundation_model("global.zai.glm-4.6"), "zai.glm-4.6");
  EXPECT_EQ(foundation_model("zai.glm-4.6"), "zai.glm-4.6");
  EXPECT_EQ(foundation_model("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"),
            "amazon.nova-lite-v1:0");
  EXPECT_EQ(foundation_model("arn:aws:bedrock:us-east-1:1:inference-profile/eu.meta.llama4-v1:0"),
            "meta.llama4-v1:0");
}

TEST(FoundationModel, IsUnknownWhereTheIdHidesIt) {
  for (const char* id :
       {"", "my-alias", ".x", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
        "arn:aws:bedrock:us-east-1:1:custom-model/anthropic.claude/abcdefghijkl",
        "arn:aws:bedrock:us-east-1:1:default-prompt-router/anthropic.claude:1",
        "arn:aws:sagemaker:us-east-1:1:endpoint/x.y", "arn:aws:x.y"}) {
    EXPECT_EQ(foundation_model(id), "") << id;
  }
}

TEST(BodyFormat, IsTheVendorsAndForAmazonTheFamilys) {
  EXPECT_EQ(body_format("us.anthropic.claude-sonnet-5"), "anthropic");
  EXPECT_EQ(body_format("amazon.nova-lite-v1:0"), "amazon.nova");
  EXPECT_TRUE(differ_in_body_format("amazon.nova-lite-v1:0", "amazon.titan-text-express-v1"));
  EXPECT_TRUE(differ_in_body_format("us.anthropic.claude-sonnet-5", "meta.llama4-v1:0"));
  EXPECT_FALSE(differ_in_body_format("us.anthropic.claude-sonnet-5", "anthropic.claude-3"));
  EXPECT_FALSE(differ_in_body_format("my-alias", "anthropic.claude-3"));
}

struct GlobCase {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(Glob, LetsAStarStandForAnyRun) {
  const GlobCase cases[] = {
      {"a", "a", true},
      {"a", "ab", false},
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "a:b/c", true},
      {"a*", "a", true},
      {"a*", "ba", false},
      {"*a", "ba", true},
      {"*a", "ab", false},
      {"a*a", "a", false},
      {"a*a", "aa", true},
      {"a*b*c", "a1b2c", true},
      {"a*b*c", "acb", false},
      {"*ab*ab*", "ab", false},
      {"*ab*ab*", "xabyabz", true},
      {"a**b", "ab", true},
      {"a?c", "abc", false},
      {"*.anthropic.*", "us.anthropic.x:0", true},
      {"*.anthropic.*", "anthropic.x", false},
  };
  for (const GlobCase& row : cases) {
    EXPECT_EQ(Glob(row.pattern).matches(row.text), row.matches)
        << row.pattern << " on " << row.text;
  }
}

TEST(Glob, IsQuickOnTextsThatMakeBacktrackersSlow) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(Glob(pattern + "*b").matches(std::string(100'000, 'a')));
}

}  // namespace
}  // namespace understudy::routing
