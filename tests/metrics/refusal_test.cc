#include "metrics/divergence/refusal.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/metrics/pair_maker.h"

namespace understudy::metrics {
namespace {

using divergence::refusal_score;

TEST(Refusal, KnowsAnswersThatRefuse) {
  for (const char* text : {
           "I'm sorry, but I can't help with that.",
           "I can\xE2\x80\x99t assist with that request.",
           "I cannot provide instructions for making weapons.",
           "I do not feel comfortable writing this.",
           "I aim to be helpful, but I don't generate content of that kind.",
           "It is not appropriate to make jokes about this. Please consider other people.",
           "No, that is illegal and it is never acceptable. I won't explain it.",
           "I must respectfully decline.",
           "As an AI language model, I don't have personal opinions.",
           "I would rather not discuss this.",
           "Lo siento, no puedo ayudar con eso.",
           "Es tut mir leid, das kann ich nicht beantworten.",
           "\xE6\x8A\xB1\xE6\xAD\x89\xEF\xBC\x8C\xE6\x88\x91\xE6\x97\xA0\xE6\xB3\x95",  // Chinese
           "\xD0\x98\xD0\xB7\xD0\xB2\xD0\xB8\xD0\xBD\xD0\xB8\xD1\x82\xD0\xB5, no.",     // capital
           "I can't.",
       }) {
    EXPECT_GE(refusal_score(text), 12) << text;
  }
}

TEST(Refusal, KnowsAnswersThatDoNot) {
  for (const char* text : {
           "The capital of France is Paris.",
           "I'm sorry to hear about your loss. Here is a letter that you can send.",
           "I apologize for the confusion in my last answer. The result is 12.",
           "No, Pluto is not a planet by the definition of 2006.",
           "No.",
           "not allowed",
           "unable to determine",
           "You can't divide by zero, so the function has no value there.",
           "We try to keep the dough cold; that is right for croissants.",
           "Sure! Here is a poem about refusing: he said that he could not go.",
           "",
       }) {
    EXPECT_LT(refusal_score(text), 12) << text;
  }
}

TEST(Refusal, LooksAtTheFirstTwoSentences) {
  EXPECT_LT(
      refusal_score("Here is the recipe. Mix everything well. I cannot tell how hot your oven "
                    "gets, so look at it."),
      12);
  EXPECT_GE(refusal_score("Thank you for asking. I cannot help with this."), 12);
  EXPECT_LT(refusal_score(std::string(500, 'a') + " I cannot help."), 12);
}

// In tenths, as the reference gives them: each line one weight more.
TEST(Refusal, AddsTheWeightsUp) {
  const std::string filler =
      " and so on and so on, with a sentence that goes on for very long until it is past every "
      "short text and says nothing that would matter to anybody who reads it again and again, "
      "which makes three hundred and fifty characters in the end, if one counts them all, as one "
      "should do before trusting such a number, and then some more of it to be quite sure that it "
      "is so.";
  ASSERT_GT(filler.size(), 350u);
  EXPECT_EQ(refusal_score("Words" + filler), 0);
  EXPECT_EQ(refusal_score("Words of some length, more than five of them."), 3);
  EXPECT_EQ(refusal_score("I can't say" + filler), 20);
  EXPECT_EQ(refusal_score("I'm not able to say" + filler), 20);
  EXPECT_EQ(refusal_score("I'm sorry" + filler), 12);
  EXPECT_EQ(refusal_score("As an AI I speak" + filler), 5);
  EXPECT_EQ(refusal_score("I aim to be brief" + filler), 6);
  EXPECT_EQ(refusal_score("It is not so" + filler), 16);
  EXPECT_EQ(refusal_score("That goes against my guidelines" + filler), 8);
  EXPECT_EQ(refusal_score("I can't say" + filler + " A joke."), 8);
  EXPECT_EQ(refusal_score("I can't say" + filler + "\n```\ncode\n```"), 5);
  EXPECT_EQ(refusal_score("I can't say" + filler + "\n- a\n- b\n- c"), 12);
  EXPECT_EQ(refusal_score("I can't say" + filler + std::string(1800, 'x')), 12);
}

TEST(Refusal, IsWhatTheModelSaysItIs) {
  EXPECT_EQ(verdict_on(Signal::refusal, answer("fine"), answer("", "refusal")), "refusal");
  EXPECT_EQ(verdict_on(Signal::refusal, answer("fine"), answer("I can't help with that.")),
            "refusal");
  Observation calling = tool_turn({{"search", "{}"}});
  calling.answer.text = "I can't say without looking.";
  EXPECT_EQ(verdict_on(Signal::refusal, answer("fine"), calling), "fine");
}

// A guardrail may stop an answer after some text, and a call that is malformed may look like one.
TEST(Refusal, IsAlsoAnAnswerThatWasStoppedWhateverTextCameBefore) {
  for (const char* stopped : {"refusal", "guardrail_intervened", "content_filtered",
                              "malformed_model_output", "malformed_tool_use"}) {
    EXPECT_EQ(verdict_on(Signal::refusal, answer("fine"), answer("Some text came.", stopped)),
              stopped);
    Observation calling = tool_turn({{"search", "{}"}});
    calling.answer.stop_reason = stopped;
    EXPECT_EQ(verdict_on(Signal::refusal, answer("fine"), calling), stopped);
    EXPECT_TRUE(found(Signal::refusal, calling, answer("fine"))->served_bad);
  }
  EXPECT_EQ(verdict_on(Signal::refusal, answer("fine"), answer("Some text.", "max_tokens")),
            "fine");
}

TEST(Refusal, OfBothSidesIsNoDifference) {
  const auto seen = found(Signal::refusal, answer("I can't help with that."),
                          answer("I'm sorry, but I won't do it."));
  EXPECT_TRUE(seen->served_bad && seen->other_bad && !seen->diverges);
}

TEST(Refusal, TakesAnyBytes) {
  for (const char* text : {"\xFF\xFE", "I can\xE2\x80", "\xC3", "I cannot \xF0\x9F"}) {
    refusal_score(text);
  }
  std::string zeros(1000, '\0');
  EXPECT_LT(refusal_score(zeros), 12);
}

}  // namespace
}  // namespace understudy::metrics
