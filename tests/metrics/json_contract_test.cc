#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "metrics/divergence/json_schema.h"
#include "metrics/divergence/json_value.h"
#include "metrics/json_reader.h"
#include "tests/metrics/pair_maker.h"

namespace understudy::metrics {
namespace {

using divergence::JsonSchema;

constexpr std::string_view kInvoice =
    R"({"id": "A-1", "total": 12.5, "paid": true, "lines": [{"sku": "x", "count": 2}]})";

// --- Schema ---

JsonSchema::Breach breach(std::string_view schema, std::string_view value) {
  JsonParser schemas, values;
  return JsonSchema{*schemas.parse(schema)}.check(*values.parse(value));
}

TEST(JsonSchemaTest, ChecksWhatRequestsUse) {
  using B = JsonSchema::Breach;
  const struct {
    std::string_view schema, value;
    B breach;
  } cases[] = {
      {R"({"type": "object"})", R"({})", B::none},
      {R"({"type": "object"})", R"([])", B::type},
      {R"({"type": ["string", "null"]})", R"(null)", B::none},
      {R"({"type": ["string", "null"]})", R"(1)", B::type},
      {R"({"type": "integer"})", R"(2)", B::none},
      {R"({"type": "integer"})", R"(2.0)", B::none},
      {R"({"type": "integer"})", R"(2.5)", B::type},
      {R"({"type": "number"})", R"("2")", B::type},
      {R"({"type": ["integer", "number"]})", R"(2.5)", B::none},
      {R"({"required": ["a", "b"]})", R"({"a": 1, "b": 2})", B::none},
      {R"({"required": ["a", "b"]})", R"({"a": 1})", B::key_missing},
      {R"({"required": ["a"], "properties": {"a": {}}})", R"({"b": 1})", B::key_renamed},
      {R"({"properties": {"a": {"type": "string"}}})", R"({"a": 1})", B::type},
      {R"({"properties": {"a": {}}, "additionalProperties": false})", R"({"b": 1})",
       B::key_unexpected},
      {R"({"additionalProperties": {"type": "number"}})", R"({"b": "1"})", B::type},
      {R"({"items": {"enum": ["x", "y"]}})", R"(["x", "y"])", B::none},
      {R"({"items": {"enum": ["x", "y"]}})", R"(["x", "z"])", B::value},
      {R"({"const": 1})", R"(1.0)", B::none},
      {R"({"const": 1})", R"(2)", B::value},
      {R"({"anyOf": [{"type": "string"}, {"type": "null"}]})", R"(null)", B::none},
      {R"({"anyOf": [{"type": "string"}, {"type": "null"}]})", R"(3)", B::type},
      {R"({"allOf": [{"required": ["a"]}, {"required": ["b"]}]})", R"({"a": 1})", B::key_missing},
      {R"({"$defs": {"n": {"type": "number"}}, "properties": {"a": {"$ref": "#/$defs/n"}}})",
       R"({"a": "1"})", B::type},
      {R"({"type": "object", "properties": {"left": {"$ref": "#"}}, "required": ["v"]})",
       R"({"v": 1, "left": {"v": 2, "left": {}}})", B::key_missing},
      {R"({"not": {"type": "string"}, "type": "nonsense"})", R"("x")", B::none},
      {R"({"$ref": "https://example.com/schema"})", R"(1)", B::none},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(breach(each.schema, each.value), each.breach) << each.schema << " " << each.value;
  }
}

TEST(JsonSchemaTest, EndsOnSchemasThatNeverDo) {
  EXPECT_EQ(breach(R"({"$ref": "#"})", "1"), JsonSchema::Breach::none);
  EXPECT_EQ(breach(R"({"allOf": [{"$ref": "#"}, {"$ref": "#"}]})", "1"), JsonSchema::Breach::none);
  EXPECT_EQ(
      breach(R"({"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "items": {"$ref": "#"}})", "[[[[1]]]]"),
      JsonSchema::Breach::none);
  std::string many = R"({"anyOf": [)";
  for (int i = 0; i < 5000; ++i) many += R"({"type": "string"},)";
  many.back() = ']';
  EXPECT_EQ(breach(many + "}", R"("x")"), JsonSchema::Breach::none);
}

// --- Values ---

TEST(JsonValueTest, HashesEqualValuesEquallyHoweverTheyAreWritten) {
  const auto hash = [](std::string_view json, divergence::Strings strings) {
    JsonParser parser;
    return divergence::hash_of(*parser.parse(json), strings);
  };
  constexpr auto kExact = divergence::Strings::exact;
  constexpr auto kLax = divergence::Strings::lax;
  EXPECT_EQ(hash(R"({"a": 1, "b": [1, 2]})", kExact), hash(R"({"b":[1.0,2],"a":1})", kExact));
  EXPECT_NE(hash(R"([1, 2])", kExact), hash(R"([2, 1])", kExact));
  EXPECT_NE(hash(R"({"a": {"b": 1}})", kExact), hash(R"({"b": {"a": 1}})", kExact));
  EXPECT_NE(hash(R"("1")", kExact), hash("1", kExact));
  EXPECT_EQ(hash("-0.0", kExact), hash("0", kExact));
  EXPECT_NE(hash(R"("New York, N.Y.")", kExact), hash(R"("new york ny")", kExact));
  EXPECT_EQ(hash(R"("New York, N.Y.")", kLax), hash(R"("new york ny")", kLax));
}

// --- The signal ---

std::string_view contract(std::string other, const Expectations& expectations = {},
                          std::string_view served = kInvoice) {
  return verdict_on(Signal::json_contract, answer(std::string{served}), answer(std::move(other)),
                    expectations);
}

std::string_view difference(std::string served, std::string other) {
  const auto finding =
      found(Signal::json_contract, answer(std::move(served)), answer(std::move(other)));
  return finding && finding->diverges ? finding->detail : "same";
}

TEST(JsonContract, IsLearnedFromThePrimarysOwnAnswers) {
  const AnswerProfile profile = taught_by(answer(std::string{kInvoice}));
  Expectations known;
  known.profile = &profile;
  const struct {
    std::string_view other, verdict;
  } cases[] = {
      {R"({"paid": false, "id": "B-2", "total": 3, "lines": [{"count": 1, "sku": "y"}]})", "fine"},
      {R"({"id": "A-1", "total": 12.5, "paid": true, "lines": []})", "fine"},
      {R"({"id": "A-1", "total": 12.5, "paid": true, "lines": [{"sku": "x", "count": 2}], "n": 1})",
       "fine"},
      {R"({"id": "A-1", "paid": true, "lines": []})", "key_missing"},
      {R"({"id": "A-1", "sum": 12.5, "paid": true, "lines": []})", "key_renamed"},
      {R"({"id": "A-1", "total": 12.5, "paid": true, "lines": [{"sku": "x", "n": 2}]})",
       "key_renamed"},
      {R"({"id": "A-1", "total": "12.5", "paid": true, "lines": []})", "type_changed"},
      {R"({"id": "A-1", "total": null, "paid": true, "lines": []})", "type_changed"},
      {"I cannot read this invoice.", "not_json"},
      {R"({"id": "A-1", "total": 12.5)", "invalid"},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(contract(std::string{each.other}, known), each.verdict) << each.other;
  }
  EXPECT_EQ(contract("```json\n" + std::string{kInvoice} + "\n```", known), "fenced");
  EXPECT_EQ(contract("Here: " + std::string{kInvoice}, known), "wrapped");
}

TEST(JsonContract, ExpectsFencesOfAFamilyThatAlwaysHadThem) {
  const std::string fenced = "```json\n" + std::string{kInvoice} + "\n```";
  const AnswerProfile profile = taught_by(answer(fenced));
  Expectations known;
  known.profile = &profile;
  EXPECT_EQ(contract(fenced, known, fenced), "fine");
  EXPECT_EQ(contract(std::string{kInvoice}, known, fenced), "bare");
}

// --- Without a contract: a family that is not known yet, or one that mixes JSON and prose ---

std::string fenced(std::string_view json) {
  return "```json\n" + std::string{json} + "\n```";
}

constexpr std::string_view kProse = "The invoice is about two items that were paid last week.";
constexpr std::string_view kProseWithJson =
    R"(An invoice may look like {"id": "A-1", "total": 12.5, "paid": true} in our system.)";

TEST(JsonContract, FindsFencesBeforeAFamilyIsKnown) {
  const AnswerProfile profile = taught_by(answer(std::string{kInvoice}), 3);
  Expectations known;
  known.profile = &profile;
  EXPECT_EQ(contract(fenced(kInvoice), known), "fenced");
  EXPECT_EQ(contract(std::string{kInvoice}, known), "fine");
  EXPECT_EQ(contract(fenced(kInvoice), known, fenced(kInvoice)), "fine");
}

TEST(JsonContract, FindsJsonThatIsSpoiltInAFamilyThatMixesItWithProse) {
  AnswerProfile profile = taught_by(answer(std::string{kInvoice}), 15);
  for (int i = 0; i < 15; ++i) profile.learn(answer(std::string{kProse}));
  Expectations known;
  known.profile = &profile;
  EXPECT_EQ(contract(fenced(kInvoice), known), "fenced");
  EXPECT_EQ(contract("Here: " + std::string{kInvoice}, known), "wrapped");
  EXPECT_EQ(contract(R"({"id": "A-1", "total": 12.5)", known), "invalid");
  EXPECT_EQ(contract(std::string{kProse}, known), "not_json");
  EXPECT_EQ(contract(std::string{kProse}, known, fenced(kInvoice)), "not_json");
  EXPECT_EQ(contract(R"({"name": "A-1"})", known), "fine") << "nobody promised these keys";
}

TEST(JsonContract, HoldsNeitherSideToJsonThatIsAPartOfProse) {
  const auto finding = found(Signal::json_contract, answer(std::string{kProseWithJson}),
                             answer(std::string{kProse}));
  ASSERT_TRUE(finding);
  EXPECT_TRUE(finding->diverges) << "it is told";
  EXPECT_EQ(finding->detail, "not_json");
  EXPECT_FALSE(finding->served_bad || finding->other_bad);
  EXPECT_EQ(contract(std::string{kProseWithJson}, {}, kProse), "fine");
  EXPECT_EQ(contract(R"({"id": "A-1", "total": )", {}, kProseWithJson), "fine");
}

// Two equal models that answer in JSON now and then must come out even.
TEST(JsonContract, WithoutOneSaysOfEitherSideWhatItSaysOfTheOther) {
  const std::string forms[] = {std::string{kInvoice},       fenced(kInvoice),
                               std::string{kProse},         std::string{kProseWithJson},
                               "Sure: " + fenced(kInvoice), R"({"id": "A-1", "total")"};
  for (const std::string& one : forms) {
    for (const std::string& another : forms) {
      const auto seen = found(Signal::json_contract, answer(one), answer(another));
      const auto swapped = found(Signal::json_contract, answer(another), answer(one));
      ASSERT_EQ(seen.has_value(), swapped.has_value()) << one << " / " << another;
      if (!seen) continue;
      EXPECT_EQ(seen->served_bad, swapped->other_bad) << one << " / " << another;
      EXPECT_EQ(seen->other_bad, swapped->served_bad) << one << " / " << another;
      EXPECT_FALSE(seen->served_bad && seen->other_bad) << one << " / " << another;
    }
  }
}

TEST(JsonContract, GoesByTheRequestsSchemaFirst) {
  const auto demanded = Expectations::from_request(
      routing::Operation::converse,
      R"({"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema":
         {"schema": "{\"type\": \"object\", \"required\": [\"id\"]}"}}}}})");
  ASSERT_TRUE(demanded.json);
  ASSERT_TRUE(demanded.answer_schema);
  EXPECT_EQ(contract(R"({"id": 1})", demanded), "fine");
  EXPECT_EQ(contract(R"({"name": 1})", demanded), "key_missing");
  EXPECT_EQ(contract("```json\n{\"id\": 1}\n```", demanded), "fenced");
  EXPECT_EQ(contract("No.", demanded), "not_json");
}

TEST(JsonContract, ReadsAnAnswerThatGoesOnFromThePrefill) {
  const auto demanded =
      Expectations::from_request(routing::Operation::invoke_model,
                                 R"({"messages": [{"role": "user", "content": "JSON please"},
                       {"role": "assistant", "content": "{\"id\":"}]})");
  EXPECT_EQ(demanded.prefill, "{\"id\":");
  EXPECT_EQ(contract("1}", {}, "2}"), "none") << "neither text is JSON by itself";
  EXPECT_EQ(contract("1}", demanded, "2}"), "fine");
  const AnswerProfile profile = taught_by(answer(R"({"id": 1})"));
  Expectations known = demanded;
  known.profile = &profile;
  EXPECT_EQ(contract("1}", known, "2}"), "fine");
  EXPECT_EQ(contract("one}", known, "2}"), "not_json");
}

TEST(JsonContract, SaysHowTheKeysOfTwoDocumentsDiffer) {
  EXPECT_EQ(difference(R"({"a": 1})", R"({"a": 1.0})"), "same");
  EXPECT_EQ(difference(R"({"a": 1})", R"({"a": 2})"), "same") << "values are json_agreement's";
  EXPECT_EQ(difference(R"({"a": 1, "b": 2})", R"({"a": 1})"), "key_missing");
  EXPECT_EQ(difference(R"({"a": 1})", R"({"a": 1, "b": 2})"), "key_extra");
  EXPECT_EQ(difference(R"({"a": 1, "b": 2})", R"({"a": 1, "c": 2})"), "key_renamed");
  EXPECT_EQ(difference(R"({"a": 1})", R"({"a": "1"})"), "type_changed");
  EXPECT_EQ(difference(R"({"a": 1})", "```json\n{\"a\": 1}\n```"), "fenced");
}

TEST(JsonContract, SaysNothingOfATurnThatCallsTools) {
  EXPECT_FALSE(found(Signal::json_contract, tool_turn({{"f", "{}"}}), answer("{\"a\": 1}")));
}

TEST(AnswerProfileTest, SurvivesBeingWrittenDown) {
  const AnswerProfile profile = taught_by(answer(std::string{kInvoice}));
  const auto read = AnswerProfile::from_json(nlohmann::json::parse(profile.to_json().dump()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->to_json(), profile.to_json());
  EXPECT_EQ(read->container(), divergence::Container::bare);
  EXPECT_EQ(profile.to_json().dump().find("total"), std::string::npos) << "holds no key's name";
}

TEST(AnswerProfileTest, RefusesWhatItDidNotWrite) {
  const nlohmann::json written = taught_by(answer(std::string{kInvoice})).to_json();
  for (const auto& [key, unused] : written.items()) {
    for (const nlohmann::json& value :
         {nlohmann::json(nullptr), nlohmann::json("x"), nlohmann::json::array({1, 2, 3})}) {
      nlohmann::json damaged = written;
      damaged[key] = value;
      EXPECT_FALSE(AnswerProfile::from_json(damaged)) << key << " " << value;
      damaged.erase(key);
      EXPECT_FALSE(AnswerProfile::from_json(damaged)) << key;
    }
  }
  for (const char* text : {"null", "[]", "{}", "1"}) {
    EXPECT_FALSE(AnswerProfile::from_json(nlohmann::json::parse(text))) << text;
  }
}

TEST(AnswerProfileTest, IsBounded) {
  AnswerProfile profile;
  for (int i = 0; i < 2000; ++i) {
    profile.learn(answer("{\"key" + std::to_string(i) + "\": " + std::to_string(i) + "}"));
  }
  EXPECT_LE(profile.paths().size(), AnswerProfile::kMaxPaths);
  EXPECT_LE(profile.paths().size() * sizeof(AnswerProfile::Path), 48u << 10);
  EXPECT_LE(profile.answers(), AnswerProfile::kWindow);
}

TEST(AnswerProfileTest, FollowsAFamilyThatChanges) {
  AnswerProfile profile = taught_by(answer(std::string{kInvoice}), 400);
  EXPECT_TRUE(profile.container());
  for (int i = 0; i < 200; ++i) profile.learn(answer("Just words from now on, no JSON any more."));
  EXPECT_FALSE(profile.container());
}

TEST(AnswerProfileTest, LearnsNothingFromFailures) {
  Observation failed = answer(std::string{kInvoice});
  failed.error_class = ErrorClass::server_error;
  EXPECT_EQ(taught_by(failed).answers(), 0u);
  EXPECT_EQ(taught_by(tool_turn({{"f", "{}"}})).answers(), 0u);
}

}  // namespace
}  // namespace understudy::metrics
