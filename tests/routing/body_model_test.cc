#include "routing/body_model.h"

#include <gtest/gtest.h>

#include <string>

namespace understudy::routing {
namespace {

constexpr std::size_t kCap = 1 << 20;

// The model, or the problem in brackets.
std::string found(std::string_view body, std::size_t cap = kCap) {
  const auto result = find_body_model(body, cap);
  if (const auto* problem = std::get_if<BodyModelProblem>(&result))
    return "[" + std::string(label(*problem)) + "]";
  const auto& model = std::get<BodyModel>(result);
  // What stands at the place that it names is what was decoded.
  EXPECT_EQ(body.at(model.offset - 1), '"');
  EXPECT_EQ(body.at(model.offset + model.size), '"');
  return model.id;
}

bool stateful(std::string_view body) {
  const auto result = find_body_model(body, kCap);
  return std::get<BodyModel>(result).stateful;
}

TEST(BodyModel, IsFoundWhereverItStands) {
  EXPECT_EQ(found(R"({"model":"openai.gpt-oss-20b","messages":[]})"), "openai.gpt-oss-20b");
  EXPECT_EQ(found(R"({"messages":[{"model":"no"}],"model":"yes"})"), "yes");
  EXPECT_EQ(found(" {\n\t\"max_tokens\" : 1 , \"model\" : \"m\" } \r\n"), "m");
  EXPECT_EQ(found(R"({"messages":[{"content":"\"model\":\"no\""}],"model":"m:0"})"), "m:0");
  EXPECT_EQ(found(R"({"metadata":{"model":"no"},"model":"arn:aws:bedrock:x/y"})"),
            "arn:aws:bedrock:x/y");
}

TEST(BodyModel, IsReadThroughEscapesAsAParserWould) {
  EXPECT_EQ(found(R"({"model":"arn:x\/y"})"), "arn:x/y");
  EXPECT_EQ(found(R"({"model":"\u0061\u002Db"})"), "a-b");
  EXPECT_EQ(found(R"({"m\u006fdel":"a"})"), "a");
  EXPECT_EQ(found(R"({"model":"a","m\u006Fdel":"b"})"), "[duplicate]");
}

TEST(BodyModel, IsNotGuessedWhereItStandsTwice) {
  EXPECT_EQ(found(R"({"model":"a","model":"a"})"), "[duplicate]");
  EXPECT_EQ(found(R"({"model":"a","x":[1,{"y":2}],"model":null})"), "[duplicate]");
  EXPECT_EQ(found(R"({"model":1,"model":"a"})"), "[duplicate]");
  const std::string late =
      R"({"model":"a","x":")" + std::string(500'000, 'x') + R"(","model":"b"})";
  EXPECT_EQ(found(late), "[duplicate]");
}

TEST(BodyModel, MustBeAVisibleText) {
  for (const char* value :
       {"null", "7", "[]", R"({"a":"b"})", R"("")", R"("a b")", R"("a\nb")", R"("a\u0000b")",
        R"("\u00e9")", R"("\ud83d\ude00")", R"("\u00zz")", "\"\xc3\xa9\"", R"("a\u12")"}) {
    EXPECT_EQ(found("{\"model\":" + std::string(value) + "}"), "[not_a_model]") << value;
  }
  EXPECT_EQ(found("{\"model\":\"" + std::string(2048, 'a') + "\"}").size(), 2048u);
  EXPECT_EQ(found("{\"model\":\"" + std::string(2049, 'a') + "\"}"), "[not_a_model]");
}

TEST(BodyModel, IsAbsentWhereNobodyNamesOne) {
  EXPECT_EQ(found("{}"), "[absent]");
  EXPECT_EQ(found(R"({"Model":"a","models":"b","messages":[{"model":"c"}]})"), "[absent]");
}

TEST(BodyModel, IsNotLookedForInWhatIsNoJsonObject) {
  for (const char* body : {"", "null", "[]", "\"model\"", "model=a", "{", R"({"model":"a")",
                           R"({"model":"a"}})", R"({"model":"a"} {"model":"b"})", R"({"model":"a)",
                           R"({"model" "a"})", "\xef\xbb\xbf{\"model\":\"a\"}"}) {
    EXPECT_EQ(found(body), "[malformed]") << body;
  }
}

TEST(BodyModel, IsNotLookedForBeyondTheLimits) {
  const auto nested = [](std::size_t depth) {
    return R"({"x":)" + std::string(depth, '[') + std::string(depth, ']') + R"(,"model":"a"})";
  };
  EXPECT_EQ(found(nested(127)), "a");
  EXPECT_EQ(found(nested(128)), "[malformed]");
  EXPECT_EQ(found(nested(100'000)), "[malformed]");
  const std::string body = R"({"model":"a"})";
  EXPECT_EQ(found(body, body.size()), "a");
  EXPECT_EQ(found(body, body.size() - 1), "[too_large]");
}

TEST(BodyModel, IsNotLookedForWhereTheLookWouldTakeTooLong) {
  const auto of = [](std::string_view unit, std::size_t times) {
    std::string body = R"({"x":[)";
    for (std::size_t i = 0; i < times; ++i) body += unit;
    return body + R"(0],"model":"a"})";
  };
  // A megabyte may cost 32768 steps.
  EXPECT_EQ(found(of("[],", 10'000)), "a");
  EXPECT_EQ(found(of("[],", 20'000)), "[too_large]");
  EXPECT_EQ(found(of(R"("\"\"\"\"\"\"\"\"",)", 1'000)), "a");
  EXPECT_EQ(found(of(R"("\"\"\"\"\"\"\"\"",)", 10'000)), "[too_large]");
  std::string members = "{";
  for (int i = 0; i < 20'000; ++i) members += R"("k":1,)";
  EXPECT_EQ(found(members + R"("model":"a"})"), "[too_large]");
}

TEST(BodyModel, TellsWhatGoesOnFromAnEarlierAnswer) {
  EXPECT_FALSE(stateful(R"({"model":"a","input":"x"})"));
  EXPECT_TRUE(stateful(R"({"model":"a","previous_response_id":"resp_1"})"));
  EXPECT_FALSE(stateful(R"({"model":"a","previous_response_id":null})"));
  EXPECT_TRUE(stateful(R"({"conversation":{"id":"c"},"model":"a"})"));
  EXPECT_FALSE(stateful(R"({"conversation":null,"background":false,"model":"a"})"));
  EXPECT_TRUE(stateful(R"({"model":"a","background":true})"));
}

}  // namespace
}  // namespace understudy::routing
