#include "metrics/family.h"

#include <gtest/gtest.h>

#include <string>

#include "metrics/json_reader.h"

namespace understudy::metrics {
namespace {

constexpr std::string_view kModel = "anthropic.claude-sonnet-5";

std::string family_of(FamilyFinder& finder, std::string_view tag, std::string_view model_id,
                      std::string_view body) {
  JsonParser parser;
  return finder.family_of(tag, model_id, parser.parse(body));
}

std::string family_of(std::string_view tag, std::string_view model_id, std::string_view body) {
  FamilyFinder finder;
  return family_of(finder, tag, model_id, body);
}

TEST(Family, IsTheTagBeforeAllElse) {
  EXPECT_EQ(family_of("invoices", kModel, R"({"requestMetadata":{"family":"other"}})"), "invoices");
  EXPECT_EQ(family_of("in voices\n{\"x\"}", kModel, "{}"), "in-voices---x--");
  EXPECT_EQ(family_of(std::string(500, 'a'), kModel, "{}").size(), 64u);
}

TEST(Family, IsNeverCalledAsAllOfThemTogetherAre) {
  EXPECT_EQ(family_of("all", kModel, "{}"), kFamilyNamedAll);
  EXPECT_EQ(family_of("", kModel, R"({"requestMetadata":{"family":"all"}})"), kFamilyNamedAll);
  EXPECT_EQ(family_of("all of them", kModel, "{}"), "all-of-them");
}

TEST(Family, IsNamedByTheRequestsMetadata) {
  EXPECT_EQ(family_of("", kModel, R"({"requestMetadata":{"family":"support:de"}})"), "support-de");
}

TEST(Family, IsNamedByAProfileOrPromptMadeForAPurpose) {
  EXPECT_EQ(family_of("",
                      "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/"
                      "abc123",
                      "{}"),
            "application-inference-profile-abc123");
  EXPECT_EQ(family_of("", "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2", "{}"),
            "");
}

TEST(Family, IsNamedByItsToolsInAnyOrderAndOfEveryApi) {
  const std::string converse = family_of("", kModel, R"({"toolConfig":{"tools":[
      {"toolSpec":{"name":"search"}},{"toolSpec":{"name":"book"}}]}})");
  EXPECT_TRUE(converse.starts_with("tools-book.search-")) << converse;
  EXPECT_EQ(converse, family_of("", kModel, R"({"tools":[{"name":"book"},{"name":"search"}]})"));
  EXPECT_EQ(converse, family_of("", kModel, R"({"tools":[
      {"type":"function","function":{"name":"search"}},{"function":{"name":"book"}}]})"));
  EXPECT_NE(converse, family_of("", kModel, R"({"tools":[{"name":"book"}]})"));
}

TEST(Family, IsAnotherWhereTheToolsTakeOtherArguments) {
  const auto with = [](std::string_view schema) {
    return family_of(
        "", kModel,
        R"({"toolConfig":{"tools":[{"toolSpec":{"name":"book","inputSchema":{"json":)" +
            std::string(schema) + "}}}]}}");
  };
  const std::string plain = with(R"({"type":"object","properties":{"day":{"type":"string"}}})");
  EXPECT_TRUE(plain.starts_with("tools-book-")) << plain;
  EXPECT_NE(plain, with(R"({"type":"object","properties":{"day":{"type":"number"}}})"));
  EXPECT_NE(plain, with(R"({"type":"object","properties":{"date":{"type":"string"}}})"));
  EXPECT_EQ(plain, with(R"({"properties":{"day":{"type":"string"}},"type":"object"})"))
      << "keys have no order";
  EXPECT_EQ(plain, with(R"({"type":"object","description":"As of today, Saturday.",
                            "properties":{"day":{"type":"string","description":"A day."}}})"))
      << "prose is no contract";
  EXPECT_NE(with(R"({"properties":{"description":{"type":"string"}}})"),
            with(R"({"properties":{"description":{"type":"number"}}})"))
      << "an argument may be called so";
  EXPECT_EQ(plain, family_of("", kModel, R"({"tools":[{"name":"book","input_schema":
                {"type":"object","properties":{"day":{"type":"string"}}}}]})"));
  EXPECT_EQ(plain, family_of("", kModel, R"({"tools":[{"type":"function","function":{"name":"book",
                "parameters":{"type":"object","properties":{"day":{"type":"string"}}}}}]})"));
}

TEST(Family, IsAnotherWithPicturesAndWithWhatToolsGaveBack) {
  const std::string tools = R"({"tools":[{"name":"book"}],"messages":)";
  const std::string plain = family_of("", kModel, tools + R"([{"role":"user","content":"hi"}]})");
  EXPECT_EQ(family_of("", kModel, tools + R"([{"role":"user","content":[
      {"type":"image","source":{"type":"base64"}}]}]})"),
            plain + ".media");
  EXPECT_EQ(family_of("", kModel, tools + R"([{"role":"user","content":"hi"},
      {"role":"user","content":[{"type":"tool_result","content":"ok"}]}]})"),
            plain + ".results");
  EXPECT_EQ(family_of("", kModel, tools + R"([{"role":"user","content":[
      {"toolResult":{"toolUseId":"1"}},{"image":{"format":"png"}}]}]})"),
            plain + ".media.results");
  EXPECT_EQ(family_of("", kModel, tools + R"([{"role":"tool","content":"ok"}]})"),
            plain + ".results");
  EXPECT_EQ(family_of("", kModel, tools + R"([{"role":"user","content":[{"type":"tool_result"}]},
      {"role":"assistant","content":"a"},{"role":"user","content":"and now?"}]})"),
            plain)
      << "that turn is over";
  EXPECT_EQ(family_of("tagged", kModel, tools + R"([{"role":"tool","content":"ok"}]})"), "tagged");
}

TEST(Family, HasRoomForItsFormBesideManyTools) {
  std::string tools;
  for (int i = 0; i < 40; ++i)
    tools += std::string(i ? "," : "") + R"({"name":"tool_)" + std::to_string(i) + R"("})";
  const std::string family =
      family_of("", kModel, R"({"tools":[)" + tools + R"(],"messages":[{"role":"tool"}]})");
  EXPECT_TRUE(family.ends_with(".results")) << family;
  EXPECT_LE(family.size(), 64u);
}

TEST(Family, IsFoundByTheWordsOfAPromptWhereNothingNamesIt) {
  FamilyFinder finder;
  std::string family;
  for (int i = 0; i < 20; ++i) {
    family = family_of(finder, "", kModel,
                       R"({"messages":[{"role":"user","content":"Translate the customer's )"
                       R"(letter below into plain English and keep its tone: )" +
                           std::string(static_cast<std::size_t>(i) + 1, 'x') + R"("}]})");
  }
  EXPECT_TRUE(family.starts_with("mined-")) << family;
}

TEST(Family, IsNothingForHostileAndPlainBodies) {
  for (const std::string& body :
       {std::string{}, std::string{"no json"}, std::string(100'000, '['), std::string{"{}"},
        std::string{R"({"tools":"x","requestMetadata":7})"}}) {
    EXPECT_EQ(family_of("", kModel, body), "");
  }
}

}  // namespace
}  // namespace understudy::metrics
