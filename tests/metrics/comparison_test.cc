#include "metrics/comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <string>

#include "metrics/divergence/json_form.h"
#include "tests/metrics/pair_maker.h"

namespace understudy::metrics {
namespace {

using divergence::Container;
using divergence::json_form;
using divergence::JsonForm;

// What a test says of a form: how the JSON stands there and whether it is valid.
using Stands = std::pair<Container, bool>;
Stands stands(std::string_view text) {
  const JsonForm form = json_form(text);
  return {form.container, form.valid};
}

Observation error(ErrorClass error_class, int status, std::string type) {
  Observation seen;
  seen.status = status;
  seen.error_class = error_class;
  seen.error_type = std::move(type);
  return seen;
}

TEST(Compare, FindsNothingBetweenEqualAnswers) {
  const Observation same = answer("The capital of France is Paris.");
  const Comparison comparison = compare(same, same);
  EXPECT_FALSE(comparison.any_divergence());
  for (const Finding& each : comparison.findings) {
    EXPECT_FALSE(each.diverges) << label(each.signal);
    EXPECT_FALSE(each.served_bad || each.other_bad) << label(each.signal);
  }
  EXPECT_FALSE(find(comparison, Signal::json_contract));
  EXPECT_FALSE(find(comparison, Signal::tool_agreement));
}

TEST(Compare, ListsEverySignalOnceAndInOrder) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kSignals[i]), i);
    names.insert(label(kSignals[i]));
  }
  EXPECT_EQ(names.size(), kSignals.size());
  EXPECT_EQ(label(Signal::validation_error), "validation_error");
  EXPECT_EQ(label(Signal::json_contract), "json_contract");
}

TEST(Compare, HoldsARefusedRequestAgainstTheCandidate) {
  const Comparison comparison =
      compare(answer("fine"), error(ErrorClass::client_error, 400, "ValidationException"));
  const auto validation = find(comparison, Signal::validation_error);
  ASSERT_TRUE(validation);
  EXPECT_TRUE(validation->diverges && validation->other_bad && !validation->served_bad);
  const auto ended = find(comparison, Signal::error_class);
  ASSERT_TRUE(ended);
  EXPECT_TRUE(ended->diverges && ended->other_bad);
  EXPECT_EQ(comparison.findings.size(), 2u) << "there are no two answers to compare";
}

TEST(Compare, KnowsOtherErrorsFromRefusedRequests) {
  const Comparison comparison =
      compare(answer("fine"), error(ErrorClass::server_error, 500, "InternalServerException"));
  EXPECT_FALSE(find(comparison, Signal::validation_error)->diverges);
  EXPECT_TRUE(find(comparison, Signal::error_class)->other_bad);
}

TEST(Compare, TakesThrottlingForMissingData) {
  const Comparison comparison =
      compare(answer("fine"), error(ErrorClass::throttled, 429, "ThrottlingException"));
  EXPECT_TRUE(comparison.findings.empty());
  EXPECT_FALSE(comparison.any_divergence());
}

TEST(Compare, SeesAnotherStopReason) {
  const auto seen = find(compare(answer("a"), answer("a", "max_tokens")), Signal::stop_reason);
  EXPECT_TRUE(seen->diverges);
  EXPECT_FALSE(seen->other_bad);
  const auto refused = find(compare(answer("a"), answer("a", "refusal")), Signal::stop_reason);
  EXPECT_TRUE(refused->diverges && refused->other_bad && !refused->served_bad);
  EXPECT_FALSE(find(compare(answer("12", ""), answer("12", "")), Signal::stop_reason));
}

TEST(JsonFormTest, TellsHowJsonStandsInAText) {
  const Stands bare{Container::bare, true}, bare_bad{Container::bare, false};
  const Stands fenced{Container::fenced, true}, fenced_bad{Container::fenced, false};
  const Stands wrapped{Container::wrapped, true}, wrapped_bad{Container::wrapped, false};
  const std::vector<std::pair<std::string, Stands>> cases{
      {"", {}},
      {"   \n", {}},
      {"Just words.", {}},
      {"42", {}},
      {"\"text\"", {}},
      {"{\"a\": 1}", bare},
      {"  [1, 2, 3]\n", bare},
      {"{}", bare},
      {"{\"n\": 123456789012345678901234567890}", bare},
      {"{\"a\": 1", bare_bad},
      {"{\"a\": 1,}", bare_bad},
      {"{\"a\": \"\xFF\"}", bare_bad},
      {"[{\"a\": 1}, {", bare_bad},
      {"[Link](http://x) and more", {}},
      {"[1] a source", {}},
      {"{x | x > 2} is a set", {}},
      {"```json\n{\"a\": 1}\n```", fenced},
      {"```\n[\"a\"]\n```", fenced},
      {"```json\n{\"a\": }\n```", fenced_bad},
      {"```python\nprint({1: 2})\n```", {}},
      {"```", {}},
      {"``````", {}},
      {"```json", {}},
      {"Here it is:\n```json\n{\"a\": 1}\n```\nEnjoy.", wrapped},
      {"Here it is:\n```json\n{\"a\": 1\n```\nEnjoy.", wrapped_bad},
      {"Here it is: {\"name\": \"somebody\", \"n\": 1}. Enjoy.", wrapped},
      {"Here it is: {\"a\": 1}.", {}},
      {"for (;;) { if (a[1] == 2) { return a; } else { break; } }", {}},
      {"{\"name\": \"somebody\"} is what you want", wrapped},
      {"{\"a\": \"a } in a string\"}", bare},
  };
  for (const auto& [text, form] : cases) EXPECT_EQ(stands(text), form) << text;
}

TEST(JsonFormTest, IsBoundedOnDeepAndRepeatedBrackets) {
  EXPECT_EQ(json_form(std::string(1 << 20, '{')).container, Container::none);
  EXPECT_EQ(stands(std::string(1 << 20, '[')), (Stands{Container::bare, false}));
  EXPECT_EQ(json_form("x " + std::string(1 << 20, '[')).container, Container::none);
  std::string fences;
  for (int i = 0; i < 100'000; ++i) fences += "```\n";
  EXPECT_EQ(json_form("x" + fences).container, Container::none);
}

TEST(Compare, SeesAChangedJsonContainer) {
  const auto seen = find(compare(answer("{\"a\": 1}"), answer("```json\n{\"a\": 1}\n```")),
                         Signal::json_contract);
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->diverges && seen->other_bad && !seen->served_bad);
  const auto broken =
      find(compare(answer("{\"a\": 1}"), answer("{\"a\": 1")), Signal::json_contract);
  EXPECT_TRUE(broken->diverges && broken->other_bad && !broken->served_bad);
}

TEST(Compare, HoldsToolNamesAgainstEachOtherWithoutOrder) {
  Observation served = answer("", "tool_use");
  Observation other = served;
  served.answer.tool_calls = {{"weather", "{}"}, {"time", "{}"}};
  other.answer.tool_calls = {{"time", "{}"}, {"weather", "{}"}};
  EXPECT_FALSE(find(compare(served, other), Signal::tool_agreement)->diverges);
  other.answer.tool_calls[0].name = "clock";
  EXPECT_TRUE(find(compare(served, other), Signal::tool_agreement)->diverges);
  other.answer.tool_calls.clear();
  const auto seen = find(compare(served, other), Signal::tool_agreement);
  EXPECT_TRUE(seen->diverges && seen->other_bad && !seen->served_bad);
}

TEST(Compare, MeasuresLengthInCharactersAndCallsNoPairDifferentForIt) {
  const auto longer = find(compare(answer(std::string(100, 'a')), answer(std::string(200, 'a'))),
                           Signal::verbosity);
  EXPECT_NEAR(longer->value, std::log(2.0), 1e-12);
  EXPECT_TRUE(longer->diverges);
  EXPECT_FALSE(
      compare(answer(std::string(100, 'a')), answer(std::string(200, 'a'))).any_divergence());
  const auto accents =
      find(compare(answer("e\xCC\x81t\xC3\xA9"), answer("abcd")), Signal::verbosity);
  EXPECT_NEAR(accents->value, 0.0, 1e-12);
  EXPECT_FALSE(find(compare(answer("a"), answer("")), Signal::verbosity));
}

TEST(Compare, SeesThatTwoTextsAreAboutDifferentThings) {
  const std::string bread =
      "Mix flour, water, yeast and salt, knead the dough, let it rise overnight, shape a loaf, "
      "bake in a hot oven.";
  const std::string bread_at_length =
      "To bake a good loaf you first mix flour with water, then yeast and salt. Knead patiently "
      "until the dough feels smooth, let everything rise overnight in the fridge, shape carefully, "
      "and use a very hot oven with steam.";
  const std::string orbit =
      "Satellites fall around Earth continuously because sideways velocity balances gravity, "
      "tracing elliptical paths described by Kepler and Newton.";
  const auto alike = find(compare(answer(bread), answer(bread_at_length)), Signal::containment);
  ASSERT_TRUE(alike);
  EXPECT_FALSE(alike->diverges);
  EXPECT_GT(alike->value, 0.5);
  const auto unlike = find(compare(answer(bread), answer(orbit)), Signal::containment);
  EXPECT_TRUE(unlike->diverges);
  EXPECT_LT(unlike->value, 0.15);
  EXPECT_TRUE(compare(answer(bread), answer(orbit)).any_divergence());
  Expectations of_family;
  for (const auto& [own, off_topic] : {std::pair{.2, false}, {.3, false}, {.31, true}}) {
    of_family.own_containment = own;
    const auto seen = find(compare(answer(bread), answer(orbit), of_family), Signal::containment);
    EXPECT_EQ(seen->diverges, off_topic) << "where two answers of the primary share " << own;
  }
  const auto same = find(compare(answer(bread), answer(bread)), Signal::containment);
  ASSERT_TRUE(same);
  EXPECT_DOUBLE_EQ(same->value, 1.0);
  EXPECT_FALSE(find(compare(answer("Yes."), answer("Yes.")), Signal::containment));
  EXPECT_FALSE(find(compare(answer("Yes."), answer("No.")), Signal::containment));
}

TEST(Compare, FindsTheSameWordsInPlainAsciiAndBesideOtherLetters) {
  // ASCII texts are read by another, faster way: the words must be the same ones.
  std::minstd_rand random(3);
  constexpr std::string_view kBytes = "abcXYZ019 ,.-_'\"@[`{/:\n\t";
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::size_t i = random() % 400 + 500; i > 0; --i) {
      text += random() % 3 == 0 ? ' ' : kBytes[random() % kBytes.size()];
    }
    std::string upper = text;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    const auto seen = find(compare(answer(text), answer("\xc3\xa9 " + upper)), Signal::containment);
    ASSERT_TRUE(seen) << text;
    ASSERT_DOUBLE_EQ(seen->value, 1.0) << text;
  }
}

TEST(Compare, CountsLongWordsByTheirBeginning) {
  std::string text, other;
  for (int i = 0; i < 12; ++i) {
    const std::string word = std::string(70, 'w') + std::to_string(i);
    text += std::to_string(i) + word + " ";
    other += std::to_string(i) + word + "x ";
  }
  const auto seen = find(compare(answer(text), answer(other)), Signal::containment);
  ASSERT_TRUE(seen);
  EXPECT_DOUBLE_EQ(seen->value, 1.0);
}

TEST(Compare, CountsCharactersAndNotBytes) {
  const auto seen =
      find(compare(answer("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 abcdefgh"), answer("123456789012")),
           Signal::verbosity);
  ASSERT_TRUE(seen);
  EXPECT_DOUBLE_EQ(seen->value, 0.0);
}

TEST(Compare, TakesEveryCjkCharacterForAWord) {
  const auto seen = find(compare(answer("今日は天気がとても良いので散歩に行きました"),
                                 answer("天気が良いので今日は公園まで散歩に行きました")),
                         Signal::containment);
  ASSERT_TRUE(seen);
  EXPECT_GT(seen->value, 0.7);
}

TEST(Compare, IgnoresWhatCouldNotBeRead) {
  Observation unread = answer("");
  unread.answer.parsed = false;
  const Comparison comparison = compare(answer("fine"), unread);
  EXPECT_EQ(comparison.findings.size(), 2u);
}

}  // namespace
}  // namespace understudy::metrics
