#include "routing/rewrite.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace understudy::routing {
namespace {

RewriteRule remove_rule(std::string pointer) {
  return {RewriteRule::Kind::remove, {}, std::move(pointer), {}};
}
RewriteRule set_rule(std::string pointer, std::string json) {
  return {RewriteRule::Kind::set, {}, std::move(pointer), std::move(json)};
}
RewriteRule patch_rule(std::string json) {
  return {RewriteRule::Kind::json_patch, {}, {}, std::move(json)};
}

Rewritten done(const std::vector<RewriteRule>& rules, std::string_view body) {
  auto result = rewrite(rules, Operation::converse, body);
  if (const auto* problem = std::get_if<RewriteProblem>(&result)) {
    ADD_FAILURE() << body.substr(0, 100) << ": " << problem->what;
    return {};
  }
  return std::get<Rewritten>(std::move(result));
}

std::string problem(const std::vector<RewriteRule>& rules, std::string_view body) {
  const auto result = rewrite(rules, Operation::converse, body);
  const auto* found = std::get_if<RewriteProblem>(&result);
  return found == nullptr ? "" : found->what;
}

const std::vector<RewriteRule> kRemoveA{remove_rule("/a")};

TEST(Rewrite, RemovesAndKeepsTheOrderOfTheRest) {
  const Rewritten result =
      done({remove_rule("/inferenceConfig/temperature"), remove_rule("/list/1")},
           R"({"z":1,"inferenceConfig":{"temperature":0.5,"topP":1},"list":[1,2,3],"a":"ü\n"})");
  EXPECT_EQ(result.body, R"({"z":1,"inferenceConfig":{"topP":1},"list":[1,3],"a":"ü\n"})");
  EXPECT_EQ(result.applied, 2U);
}

TEST(Rewrite, SetsAValueThatIsThere) {
  EXPECT_EQ(done({set_rule("/a/b", R"({"x":[1]})")}, R"({"a":{"b":2}})").body,
            R"({"a":{"b":{"x":[1]}}})");
}

TEST(Rewrite, ChangesNothingWhereThePathIsAbsent) {
  for (const RewriteRule& rule :
       {remove_rule("/x"), remove_rule("/a/b/c"), remove_rule("/list/9"), remove_rule("/list/-"),
        remove_rule("/list/x"), set_rule("/x", "1"), set_rule("/list/9", "1"),
        set_rule("/a/b/c", "1"), patch_rule(R"([{"op":"remove","path":"/x"}])"),
        patch_rule(R"([{"op":"replace","path":"/list/x","value":1}])"),
        patch_rule(R"([{"op":"add","path":"/x/y","value":1}])")}) {
    const Rewritten result = done({rule}, R"({"a":{"b":1},"list":[1]})");
    EXPECT_EQ(result.applied, 0U) << rule.pointer << rule.json;
    EXPECT_EQ(result.body, "");
  }
}

TEST(Rewrite, AppliesAPatchWholeOrNotAtAll) {
  EXPECT_EQ(
      done({patch_rule(
               R"([{"op":"add","path":"/b","value":2},{"op":"move","from":"/a","path":"/c"}])")},
           R"({"a":1})")
          .body,
      R"({"b":2,"c":1})");
  EXPECT_EQ(
      done({patch_rule(R"([{"op":"remove","path":"/a"},{"op":"test","path":"/b","value":3}])")},
           R"({"a":1,"b":2})")
          .applied,
      0U);
}

TEST(Rewrite, AppliesRulesInOrderAndCountsThoseThatChangedSomething) {
  const Rewritten result =
      done({set_rule("/a", "2"), set_rule("/a", "2"), remove_rule("/b"), remove_rule("/a")},
           R"({"a":1,"c":3})");
  EXPECT_EQ(result.applied, 2U);
  EXPECT_EQ(result.body, R"({"c":3})");
}

TEST(Rewrite, ConcernsOnlyTheOperationsOfItsRules) {
  RewriteRule streams = remove_rule("/a");
  streams.operations = {Operation::converse_stream};
  const std::vector rules{streams};
  EXPECT_TRUE(concerns(rules, Operation::converse_stream));
  EXPECT_FALSE(concerns(rules, Operation::converse));
  EXPECT_FALSE(concerns(kRemoveA, Operation::other));
  EXPECT_FALSE(concerns({}, Operation::converse));
  EXPECT_EQ(done(rules, "not even JSON").applied, 0U);
}

TEST(Rewrite, KeepsNumbersAsTheyAreOrSpellsThemDifferently) {
  EXPECT_EQ(done(kRemoveA,
                 R"({"a":1,"n":[18446744073709551615,-9223372036854775808,0.1,1e2,-0.0,5e-324]})")
                .applied,
            1U);
  EXPECT_EQ(done(kRemoveA, R"({"a":1,"n":1.10})").body, R"({"n":1.1})");
  EXPECT_EQ(done(kRemoveA, R"({"a":1,"n":0.00})").applied, 1U);
}

TEST(Rewrite, RefusesNumbersThatWouldChange) {
  for (const char* number : {"18446744073709551616123", "0.1000000000000000055511151231257827",
                             "1e400", "3.14159265358979323846", "1e-400", "1e999999999999"}) {
    EXPECT_NE(problem(kRemoveA, R"({"a":1,"n":)" + std::string(number) + "}"), "") << number;
  }
}

TEST(Rewrite, RefusesWhatIsNoCleanJson) {
  for (const char* body :
       {"", "{", "not json", R"({"a":1,"a":2})", R"({"a":1,"b":[{"c":1,"c":1}]})",
        "{\"a\":\"\x80\"}", R"({"a":1} x)", "\xff\xfe{"}) {
    EXPECT_NE(problem(kRemoveA, body), "") << body;
  }
}

TEST(Rewrite, ToleratesTheSameKeyInDifferentObjects) {
  EXPECT_EQ(problem(kRemoveA, R"({"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]})"), "");
}

TEST(Rewrite, FollowsJsonToItsDepthAndNotBeyond) {
  const auto nested = [](std::size_t depth) {
    return R"({"a":1,"n":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_EQ(problem(kRemoveA, nested(128)), "");
  EXPECT_NE(problem(kRemoveA, nested(129)), "");
  EXPECT_NE(problem(kRemoveA, std::string(1'000'000, '[')), "");
}

TEST(Rewrite, RefusesObjectsThatWouldTakeQuadraticTime) {
  std::string body = R"({"a":1)";
  for (int i = 0; i < 200'000; ++i) body += ",\"k" + std::to_string(i) + "\":1";
  EXPECT_EQ(problem(kRemoveA, body + "}"), "an object has too many members");
}

TEST(Rewrite, NamesNothingOfTheBodyInItsProblems) {
  for (const std::string body :
       {R"({"secret":"hunter2)", R"({"hunter2":1,"hunter2":2})", R"(hunter2)"}) {
    const std::string what = problem({set_rule("/secret/x", "1")}, body);
    EXPECT_NE(what, "");
    EXPECT_EQ(what.find("hunter2"), std::string::npos) << what;
  }
}

TEST(Rewrite, LeavesABodyThatIsNoObjectAlone) {
  EXPECT_EQ(done({remove_rule("/a"), set_rule("/0", "1")}, R"("text")").applied, 0U);
}

ModelSwap swap_in(std::string_view body, std::string_view old_model, std::string_view model) {
  return {.offset = body.find(old_model), .size = old_model.size(), .model = model};
}

TEST(VariantBody, PutsAnotherModelInAndKeepsEveryOtherByte) {
  constexpr std::string_view kBody =
      R"({ "temperature":1.0e0,"model" : "old","messages":[{"content":"old \u00e9\/"}] } )";
  const VariantBody made =
      variant_body({}, Operation::messages, swap_in(kBody, "old", "new-1"), kBody);
  EXPECT_TRUE(made.changed);
  EXPECT_EQ(
      made.bytes,
      R"({ "temperature":1.0e0,"model" : "new-1","messages":[{"content":"old \u00e9\/"}] } )");
  EXPECT_FALSE(made.problem);
}

TEST(VariantBody, AppliesRulesToTheSwappedBody) {
  constexpr std::string_view kBody = R"({"a":1,"model":"old"})";
  const VariantBody made =
      variant_body(kRemoveA, Operation::chat_completions, swap_in(kBody, "old", "new"), kBody);
  EXPECT_EQ(made.bytes, R"({"model":"new"})");
  const VariantBody untouched = variant_body(kRemoveA, Operation::responses, {}, R"({"b":1})");
  EXPECT_FALSE(untouched.changed);
  EXPECT_FALSE(untouched.problem);
}

TEST(VariantBody, HasTheModelEvenWhereTheRulesFail) {
  constexpr std::string_view kBody = R"({"a":1,"a":2,"model":"old"})";
  const VariantBody made =
      variant_body(kRemoveA, Operation::chat_completions, swap_in(kBody, "old", "new"), kBody);
  EXPECT_TRUE(made.problem);
  EXPECT_TRUE(made.changed);
  EXPECT_EQ(made.bytes, R"({"a":1,"a":2,"model":"new"})");
}

TEST(VariantBody, LeavesABodyAloneThatIsShorterThanThePlaceSays) {
  const VariantBody made =
      variant_body({}, Operation::messages, {.offset = 3, .size = 9, .model = "x"}, "{}");
  EXPECT_FALSE(made.changed);
}

}  // namespace
}  // namespace understudy::routing
