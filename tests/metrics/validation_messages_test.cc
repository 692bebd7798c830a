#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "metrics/divergence/error_headline.h"
#include "metrics/evidence/message_counts.h"

namespace understudy::metrics {
namespace {

using divergence::error_headline;
using testing::HasSubstr;
using testing::Not;

std::string request(const std::string& text) {
  return R"({"messages":[{"role":"user","content":[{"text":")" + text +
         R"("}]}],"inferenceConfig":{"temperature":0.5,"stopSequences":["Zanzibar"]},)"
         R"("requestMetadata":{"Ludwig":"x"}})";
}

TEST(ErrorHeadline, KeepsWhatSuchMessagesAreMadeOf) {
  const std::string body = request("is `temperature` deprecated for this model? thinking tokens");
  for (const char* message :
       {"`temperature` is deprecated for this model.",
        "thinking.budget_tokens: Extra inputs are not permitted",
        "The provided model identifier is invalid.",
        "This model does not support assistant message prefill. The conversation must end with a "
        "user message."}) {
    EXPECT_EQ(error_headline(message, body), message);
  }
  EXPECT_EQ(error_headline("max_tokens: 128001 > 64000, which is the maximum", body),
            "max_tokens: # > #, which is the maximum");
  EXPECT_EQ(error_headline("`frobnicate_level` is not supported", body),
            "`frobnicate_level` is not supported")
      << "a parameter nobody knows yet, which the request's texts do not hold";
}

TEST(ErrorHeadline, ShowsNothingOfTheRequestsTexts) {
  const std::string secret = "Johannes Brahms owes Meyer 4711 EUR, sk-verysecret, jb@example.org";
  const std::string body = request(secret);
  for (const std::string& message : std::vector<std::string>{
           "invalid text: '" + secret + "'", secret, "JOHANNES BRAHMS is not allowed",
           "Johan... was cut, Brah too", "bad value \"Brahms\" at `Meyer`",
           "stop sequence Zanzibar is invalid", "unknown key Ludwig in requestMetadata",
           "<b>Johannes</b>/Brahms%20Meyer", "Johannes\nBrahms\r\n\tMeyer", "\"" + secret,
           "it says\xC2\xA0Johannes, sk-verysecret and verysecret and example.org"}) {
    const std::string shown = error_headline(message, body);
    for (const char* part : {"ohan", "OHAN", "rahm", "RAHM", "eyer", "4711", "secret", "jb@",
                             "example", "anzib", "udwig", "owes", "EUR"}) {
      EXPECT_THAT(shown, Not(HasSubstr(part))) << message << " -> " << shown;
    }
  }
  EXPECT_EQ(error_headline("value \"Johannes Brahms\" is invalid", body),
            "value \"...\" is invalid");
}

TEST(ErrorHeadline, FallsBackOnTheVocabularyWhereTheRequestCannotBeRead) {
  std::string long_text;
  while (long_text.size() <= 256u << 10) long_text += "words and ";
  for (const std::string& body :
       {std::string("no JSON"), std::string(), std::string(300, '['), request(long_text)}) {
    EXPECT_EQ(error_headline("value Johannes is invalid", body), "value ... is invalid");
  }
}

TEST(ErrorHeadline, ShowsNoOtherLettersThanAsciis) {
  EXPECT_EQ(error_headline("value \xE4\xBD\xA0\xE5\xA5\xBD is invalid", request("")),
            "value ... is invalid");
}

TEST(ErrorHeadline, StaysShortAndPrintableWhateverItGets) {
  std::minstd_rand random(3);
  for (int round = 0; round < 300; ++round) {
    std::string message(random() % 6000, ' ');
    for (char& c : message) c = static_cast<char>(random() % 256);
    const std::string shown = error_headline(message, request("hello"));
    EXPECT_LE(shown.size(), 300u);
    for (const char c : shown) EXPECT_TRUE(c >= 0x20 && c < 0x7F);
  }
}

TEST(MessageCounts, PutTheMostFrequentFirstWithTheirFamilies) {
  MessageCounts counts;
  counts.add("rare", "a");
  for (int i = 0; i < 3; ++i) counts.add("frequent", i == 0 ? "a" : "b");
  const auto top = counts.top(5);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].text, "frequent");
  EXPECT_EQ(top[0].count, 3u);
  EXPECT_EQ(top[0].families, (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(counts.top(1).size(), 1u);
}

TEST(MessageCounts, KeepWhatIsFrequentThroughAFloodOfUnlikeOnes) {
  MessageCounts counts;
  for (int i = 0; i < 10'000; ++i) {
    counts.add("unlike " + std::to_string(i), "family " + std::to_string(i));
    if (i % 10 == 0) counts.add("frequent", "family " + std::to_string(i));
  }
  EXPECT_EQ(counts.total(), 11'000u);
  EXPECT_EQ(counts.top(1)[0].text, "frequent");
  EXPECT_EQ(counts.top(1)[0].count, 1'000u);
  EXPECT_EQ(counts.top(1)[0].families.size(), MessageCounts::kMaxFamilies);
  EXPECT_EQ(counts.top(1'000).size(), MessageCounts::kMaxMessages);
}

TEST(MessageCounts, AddUpAndComeBackAsTheyWere) {
  MessageCounts one, other;
  one.add("x", "a");
  other.add("x", "b");
  other.add("y", "b");
  one.merge(other);
  EXPECT_EQ(one.total(), 3u);
  EXPECT_EQ(one.top(1)[0].count, 2u);
  EXPECT_EQ(MessageCounts::from_json(one.to_json()), one);
}

}  // namespace
}  // namespace understudy::metrics
