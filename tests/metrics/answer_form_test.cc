// Truncation, emptiness, Markdown, thinking, the shape of streams, time and cost.

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "metrics/divergence/markdown.h"
#include "tests/metrics/pair_maker.h"

namespace understudy::metrics {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kSaid =
    "The starter needs flour, water and some patience before it can raise a loaf";

std::string_view truncation(std::string text, std::string stop_reason = "end_turn") {
  return verdict_on(Signal::truncation, answer("Fine."), answer(std::move(text), stop_reason));
}

TEST(Truncation, SeesTextsThatStopInTheMiddle) {
  const std::string said{kSaid};
  EXPECT_EQ(truncation(said), "breaks_off");
  EXPECT_EQ(truncation("Here is the code:\n```python\nprint(1)"), "breaks_off");
  EXPECT_EQ(truncation("{\"name\": \"somebody\", \"lines\": [1, 2"), "breaks_off");
  EXPECT_EQ(truncation("- The first item ends here.\n- The second one ends here, too.\n- The thi"),
            "breaks_off");
}

TEST(Truncation, KnowsHowTextsEnd) {
  const std::string said{kSaid};
  for (const char* end :
       {".", "!", "?", ":", ")", "\"", "'", "*", "]", "}", ">", "|", "`", ".\n\n", "\xE2\x80\x9D",
        "\xE3\x80\x82", "\xF0\x9F\x98\x80", " 100%", "\xE2\x80\xA6"}) {
    EXPECT_EQ(truncation(said + end), "fine") << end;
  }
  EXPECT_EQ(truncation("A short title"), "fine");
  EXPECT_EQ(truncation("Shopping list for the whole week:\n- flour and water\n- salt and yeast\n"
                       "- butter and eggs"),
            "fine");
  EXPECT_EQ(truncation("Look at the page below for more:\nhttps://example.com/some/long/path/"),
            "fine");
}

TEST(Truncation, KnowsThatTheTokensRanOut) {
  EXPECT_EQ(truncation("Half a sente", "max_tokens"), "max_tokens");
  EXPECT_EQ(truncation("A whole one.", "max_tokens"), "max_tokens");
  EXPECT_EQ(truncation("A whole one.", "model_context_window_exceeded"), "max_tokens");
  EXPECT_EQ(truncation(std::string{kSaid}, "stop_sequence"), "fine");
}

TEST(Empty, SeesAnswersWithoutAnything) {
  EXPECT_EQ(verdict_on(Signal::empty, answer("x"), answer("")), "empty");
  EXPECT_EQ(verdict_on(Signal::empty, answer("x"), answer(" \n")), "empty");
  EXPECT_EQ(verdict_on(Signal::empty, answer("x"), answer("x")), "fine");
  EXPECT_EQ(verdict_on(Signal::empty, answer("x"), tool_turn({{"f", ""}})), "fine");
  EXPECT_EQ(verdict_on(Signal::empty, answer("", ""), answer("", "")), "none");
  Observation thought = answer("");
  thought.answer.thinking_bytes = 10;
  EXPECT_EQ(verdict_on(Signal::empty, answer("x"), thought), "only_thinking");
}

TEST(MarkdownTest, KnowsTheMarksByTheLine) {
  using namespace divergence;
  const struct {
    std::string_view text;
    unsigned marks;
  } cases[] = {
      {"Plain words.", 0u},
      {"# Title\ntext", kHeading},
      {"#hashtag", 0u},
      {"some **bold** word", kBold},
      {"2 ** 3 ** 4", 0u},
      {"- one\n- two", kList},
      {"1. one\n2. two", kList},
      {"2006. That year", 0u},
      {"| a | b |\n|---|---|", kTable},
      {"```\n# no heading\n- no list\n```", kFence},
      {"", 0u},
  };
  for (const auto& each : cases) EXPECT_EQ(markdown_of(each.text), each.marks) << each.text;
}

TEST(MarkdownSignal, IsBadWhereTheFamilyNeverUsesIt) {
  const AnswerProfile profile = taught_by(answer("Plain words without any marks in them."));
  Expectations known;
  known.profile = &profile;
  EXPECT_EQ(verdict_on(Signal::markdown, answer("Plain."), answer("**Bold** one.")), "fine");
  EXPECT_EQ(verdict_on(Signal::markdown, answer("Plain."), answer("**Bold** one."), known), "bold");
  EXPECT_EQ(verdict_on(Signal::markdown, answer("Plain."), answer("Plain too."), known), "fine");
  EXPECT_FALSE(compare(answer("Plain words."), answer("**Plain** words.")).any_divergence());
}

TEST(Thinking, IsBadWhereItStandsFirst) {
  Observation thoughtful = answer("x");
  thoughtful.answer.thinking_bytes = 100;
  EXPECT_EQ(verdict_on(Signal::thinking, answer("x"), answer("x")), "none");
  EXPECT_EQ(found(Signal::thinking, answer("x"), thoughtful)->detail, "thinking_new");
  EXPECT_EQ(found(Signal::thinking, thoughtful, answer("x"))->detail, "thinking_gone");
  thoughtful.answer.first_block = BlockKind::thinking;
  EXPECT_EQ(verdict_on(Signal::thinking, answer("x"), thoughtful), "thinking_first");
  EXPECT_FALSE(found(Signal::thinking, thoughtful, thoughtful)->diverges);
}

TEST(Citations, AreMissedWhereOneSideHasThemAndTheOtherHasNone) {
  Observation cites = answer("x");
  cites.answer.citations = 2;
  Observation cites_more = answer("x");
  cites_more.answer.citations = 5;
  EXPECT_FALSE(found(Signal::citations, answer("x"), answer("x")));
  EXPECT_FALSE(found(Signal::citations, cites, cites_more)->diverges);
  EXPECT_EQ(verdict_on(Signal::citations, cites, answer("x")), "citations_gone");
  const auto found_new = found(Signal::citations, answer("x"), cites);
  EXPECT_EQ(found_new->detail, "citations_new");
  EXPECT_TRUE(found_new->diverges && found_new->served_bad && !found_new->other_bad);
  EXPECT_FALSE(routing::gate_of(label(Signal::citations))) << "told, never judged";
}

Observation stream(StreamShape shape) {
  Observation seen = answer("x");
  seen.stream = shape;
  return seen;
}

TEST(StreamShapeSignal, SeesStallsDisorderAndBreaks) {
  const Observation good = stream({.events = 9, .longest_gap = 80ms});
  EXPECT_EQ(verdict_on(Signal::stream_shape, answer("x"), good), "none");
  EXPECT_EQ(verdict_on(Signal::stream_shape, good, good), "fine");
  EXPECT_EQ(verdict_on(Signal::stream_shape, good, stream({.longest_gap = 6s})), "stalled");
  EXPECT_EQ(verdict_on(Signal::stream_shape, good, stream({.in_order = false})), "out_of_order");
  Observation broken = good;
  broken.error_class = ErrorClass::stream_broken;
  EXPECT_EQ(verdict_on(Signal::stream_shape, good, broken), "broken");
  broken.error_type = "ThrottlingException";
  EXPECT_EQ(verdict_on(Signal::stream_shape, good, broken), "exception");
}

TEST(Budget, MeasuresTimeAndCostAsLogarithms) {
  Observation served = answer("x"), other = answer("x");
  EXPECT_FALSE(found(Signal::latency, served, other)) << "unknown is not zero";
  EXPECT_FALSE(found(Signal::first_token, served, other));
  EXPECT_FALSE(found(Signal::cost, served, other));
  served.total = 1s;
  other.total = 1400ms;
  served.first_token = 200ms;
  other.first_token = 100ms;
  served.cost_usd = 0.01;
  other.cost_usd = 0.011;
  EXPECT_NEAR(found(Signal::latency, served, other)->value, std::log(1.4), 1e-12);
  EXPECT_TRUE(found(Signal::latency, served, other)->diverges);
  EXPECT_NEAR(found(Signal::first_token, served, other)->value, -std::log(2.0), 1e-12);
  EXPECT_NEAR(found(Signal::cost, served, other)->value, std::log(1.1), 1e-12);
  EXPECT_FALSE(found(Signal::cost, served, other)->diverges);
  EXPECT_FALSE(compare(served, other).any_divergence());
  other.cost_usd = 0.0;
  EXPECT_FALSE(found(Signal::cost, served, other));
}

}  // namespace
}  // namespace understudy::metrics
