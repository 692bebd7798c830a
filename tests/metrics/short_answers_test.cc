#include <gtest/gtest.h>

#include <string>

#include "metrics/divergence/final_answer.h"
#include "metrics/divergence/language.h"
#include "metrics/divergence/masked_message.h"
#include "tests/metrics/pair_maker.h"

namespace understudy::metrics {
namespace {

using divergence::AnswerForm;
using divergence::final_answer;
using divergence::language_of;
using divergence::last_number;
using divergence::masked_message;
using divergence::number_of;

TEST(FinalAnswerTest, FindsWhatAnAnswerComesDownTo) {
  const std::string reasons =
      "First we look at the options, then we weigh them with some care and decide.\n\n";
  const struct {
    std::string text;
    std::string label;
    AnswerForm form;
  } cases[] = {
      {"Positive", "positive", AnswerForm::whole},
      {" **Positive.**\n", "positive", AnswerForm::whole},
      {"(B)", "b", AnswerForm::whole},
      {"escalate to a human", "escalate to a human", AnswerForm::whole},
      {reasons + "Answer: B", "b", AnswerForm::marked},
      {reasons + "**Answer:** (C).", "c", AnswerForm::marked},
      {reasons + "The answer is 42.", "42", AnswerForm::marked},
      {reasons + "So \\boxed{17} it is, as anybody can see from the above.", "17",
       AnswerForm::marked},
      {reasons + "Negative", "negative", AnswerForm::last_line},
  };
  for (const auto& each : cases) {
    const auto found = final_answer(each.text);
    ASSERT_TRUE(found) << each.text;
    EXPECT_EQ(found->label, each.label) << each.text;
    EXPECT_EQ(found->form, each.form) << each.text;
  }
  for (const char* text : {"", "  ", "...", "{\"a\": 1}", "[1, 2]", "```\nx\n```",
                           "This is a sentence of more than five words."}) {
    EXPECT_FALSE(final_answer(text)) << text;
  }
}

TEST(FinalAnswerTest, ReadsNumbersAsPeopleWriteThem) {
  EXPECT_EQ(number_of("42"), 42.0);
  EXPECT_EQ(number_of("1,234.50 eur"), 1234.5);
  EXPECT_EQ(number_of("$12"), 12.0);
  EXPECT_EQ(number_of("-3.5"), -3.5);
  EXPECT_EQ(number_of("12 apples"), 12.0);
  EXPECT_FALSE(number_of("b2"));
  EXPECT_FALSE(number_of("version 2"));
  EXPECT_FALSE(number_of("1 or 2"));
  EXPECT_FALSE(number_of(""));
  EXPECT_EQ(last_number("From 3 apples, 2 are eaten, so 1."), 1.0);
  EXPECT_EQ(last_number("It costs 1,299.99 dollars"), 1299.99);
  EXPECT_FALSE(last_number("none at all"));
  EXPECT_FALSE(last_number("1.2.3"));
}

std::string label_of(std::string served, std::string other, const Expectations& expectations = {}) {
  const auto finding =
      found(Signal::label, answer(std::move(served)), answer(std::move(other)), expectations);
  if (!finding) return "none";
  return (finding->diverges ? "differs: " : "agrees: ") + std::string{finding->detail};
}

TEST(Labels, AreComparedByWhatTheySay) {
  EXPECT_EQ(label_of("positive", "Positive."), "agrees: ");
  EXPECT_EQ(label_of("positive", "negative"), "differs: label_differs");
  EXPECT_EQ(label_of("positive", "The message is positive, as its words are kind and warm."),
            "agrees: verbose_label");
  EXPECT_EQ(label_of("yes", "It is hard to tell from the yesterday's message alone."),
            "differs: label_missing");
  EXPECT_EQ(label_of("This sentence is no label, it has many words.", "positive"), "none");
}

TEST(Labels, OfAKnownFamilyMustBeAllThereIs) {
  const AnswerProfile profile = taught_by(answer("positive"));
  Expectations known;
  known.profile = &profile;
  const Observation chatty = answer("The message is positive, as its words are kind and warm.");
  EXPECT_EQ(verdict_on(Signal::label, answer("positive"), chatty, known), "verbose_label");
  EXPECT_EQ(verdict_on(Signal::label, answer("positive"), answer("mixed"), known), "fine");
  EXPECT_TRUE(found(Signal::label, chatty, answer("positive"), known)->served_bad)
      << "by the same rule whichever side it is";
}

TEST(Labels, ThatAreNoLongerAllThereIsAreADifference) {
  const AnswerProfile profile = taught_by(answer("positive"));
  Expectations known;
  known.profile = &profile;
  const std::string chatty = "The message is positive, as its words are kind and warm.";
  EXPECT_EQ(label_of("positive", chatty, known), "differs: verbose_label");
  EXPECT_EQ(label_of(chatty, chatty, known), "agrees: verbose_label") << "so is the primary";
}

TEST(Labels, AreNotLookedForInAFamilyThatWritesProse) {
  const AnswerProfile profile =
      taught_by(answer("A long answer in prose, with many words, that is no label at all."));
  Expectations known;
  known.profile = &profile;
  EXPECT_EQ(label_of("Yes, sure!", "Of course!", known), "none");
}

TEST(Numbers, AreEqualWhateverTheyLookLike) {
  const auto number = [](const char* served, const char* other) -> std::string_view {
    const auto finding = found(Signal::number, answer(served), answer(other));
    if (!finding) return "none";
    return finding->diverges ? finding->detail : "equal";
  };
  EXPECT_EQ(number("1234.5", "1,234.50"), "equal");
  EXPECT_EQ(number("42", "So the result comes to 42 apples in the end."), "equal");
  EXPECT_EQ(number("42", "43"), "number_differs");
  EXPECT_EQ(number("1000000", "1000000.5"), "equal") << "to one in a million";
  EXPECT_EQ(number("42", "I do not know what it comes to."), "number_missing");
  EXPECT_EQ(number("positive", "42"), "none");
}

TEST(Numbers, AreEqualWithinTheToleranceOfTheRoute) {
  Expectations generous;
  generous.number_tolerance = 0.01;
  const auto differs = [&](const char* served, const char* other) {
    return found(Signal::number, answer(served), answer(other), generous)->diverges;
  };
  EXPECT_FALSE(differs("1000", "1009.9"));
  EXPECT_TRUE(differs("1000", "1010.1"));
  EXPECT_FALSE(differs("-200", "-199"));
  EXPECT_TRUE(differs("0", "0.001")) << "no share of nothing";
}

constexpr const char* kEnglish =
    "The starter needs flour and water, and some patience before it can raise a loaf of bread.";
constexpr const char* kFinnish =
    "Vanha puutarha tarvitsee paljon vettä kuivina kesäviikkoina, ja komposti auttaa juuria.";

TEST(Language, IsToldWhereThereIsEnoughProse) {
  EXPECT_EQ(language_of(kEnglish), "en");
  EXPECT_EQ(language_of(kFinnish), "fi");
  EXPECT_EQ(language_of("(B)"), "");
  EXPECT_EQ(language_of("{\"text\": \"" + std::string{kEnglish} + "\"}"), "");
  EXPECT_EQ(language_of("```\n" + std::string{kEnglish} + "\n```"), "") << "code is no prose";
  EXPECT_EQ(language_of(std::string(2000, '\xFF')), "");
  EXPECT_EQ(language_of(""), "");
}

TEST(Language, IsBadWhereItIsNotTheFamilysOrTheRequests) {
  EXPECT_TRUE(found(Signal::language, answer(kEnglish), answer(kFinnish))->diverges);
  EXPECT_FALSE(found(Signal::language, answer(kEnglish), answer(kEnglish))->diverges);
  EXPECT_FALSE(found(Signal::language, answer(kEnglish), answer("Kyllä.")));
  const AnswerProfile profile = taught_by(answer(kEnglish));
  Expectations known;
  known.profile = &profile;
  EXPECT_EQ(verdict_on(Signal::language, answer(kEnglish), answer(kFinnish), known),
            "language_switched");
  const auto asked = Expectations::from_request(
      routing::Operation::converse, R"({"messages": [{"role": "user", "content": [{"text": ")" +
                                        std::string{kFinnish} + R"("}]}]})");
  EXPECT_EQ(asked.language(), "fi");
  EXPECT_EQ(verdict_on(Signal::language, answer(kFinnish), answer(kEnglish), asked),
            "language_switched");
}

TEST(MaskedMessage, IsEqualForErrorsOfOneKind) {
  const struct {
    std::string_view message, masked;
  } cases[] = {
      {"messages.12.content.3: text is empty", "messages.#.content.#: text is empty"},
      {"max_tokens: 100000 > 64000", "max_tokens: # > #"},
      {"request 4f9c2e1a-77aa-4c1b-9a30-1f2e3d4c5b6a failed", "request # failed"},
      {"arn:aws:iam::123456789012:role/x", "arn:aws:iam::#:role/x"},
      {"`temperature` is not supported by this model.",
       "`temperature` is not supported by this model."},
      {"claude-sonnet-5 in us-east-1", "claude-sonnet-# in us-east-#"},
      {"line\nbreak", "line break"},
      {"", ""},
  };
  for (const auto& each : cases) EXPECT_EQ(masked_message(each.message), each.masked);
}

TEST(MaskedMessage, LeavesOutWhatIsQuotedAtLength) {
  EXPECT_EQ(masked_message("bad value: \"" + std::string(80, 'x') + "\" given"),
            "bad value: \"...\" given");
  EXPECT_LE(masked_message(std::string(10'000, 'x')).size(), 300u);
  EXPECT_EQ(masked_message(std::string(299, 'x') + "\xC3\xA9"), std::string(299, 'x'));
}

}  // namespace
}  // namespace understudy::metrics
