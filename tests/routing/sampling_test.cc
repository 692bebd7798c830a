#include "routing/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace understudy::routing {
namespace {

constexpr std::size_t kScan = 256 << 10;

std::uint64_t key(std::string_view body) {
  return conversation_key(body, kScan);
}

TEST(Bucket, DrawsTheShareThatIsAskedForWithinThreeSigma) {
  constexpr int kDraws = 1'000'000;
  std::vector<int> below(kBuckets + 1);
  for (int i = 0; i < kDraws; ++i) {
    const std::uint32_t number = bucket("salt", "shadow", "route", std::to_string(i));
    ASSERT_LT(number, kBuckets);
    ++below[number + 1];
  }
  for (std::size_t i = 1; i < below.size(); ++i) below[i] += below[i - 1];
  for (const std::uint32_t hundredths : {1U, 100U, 500U, 1000U, 5000U, 9000U, 9999U}) {
    const double p = hundredths / 10'000.0;
    const double sigma = std::sqrt(kDraws * p * (1 - p));
    EXPECT_NEAR(below[hundredths], kDraws * p, 3 * sigma) << hundredths;
  }
}

TEST(Bucket, KeepsWhoIsInWhenTheShareGrows) {
  for (int i = 0; i < 10'000; ++i) {
    const std::uint32_t number = bucket("salt", "canary", "route", std::to_string(i));
    bool before = false;
    for (std::uint32_t share = 0; share <= kBuckets; share += 250) {
      const bool now = drawn(number, Percent{share});
      ASSERT_TRUE(now || !before);
      before = now;
    }
    ASSERT_TRUE(before) << "100 % is everyone";
    ASSERT_FALSE(drawn(number, Percent{0})) << "0 % is nobody";
  }
}

TEST(Bucket, DrawsIndependentlyForEachPurposeRouteAndSalt) {
  const auto overlap = [](auto draw) {
    int both = 0;
    for (int i = 0; i < 100'000; ++i) {
      const std::string id = std::to_string(i);
      both += bucket("s", "shadow", "r", id) < 1000 && draw(id) < 1000;
    }
    return both;
  };
  // 10 % of 10 % of 100,000, sigma about 31.
  EXPECT_NEAR(overlap([](const auto& id) { return bucket("s", "canary", "r", id); }), 1000, 130);
  EXPECT_NEAR(overlap([](const auto& id) { return bucket("s", "shadow", "q", id); }), 1000, 130);
  EXPECT_NEAR(overlap([](const auto& id) { return bucket("t", "shadow", "r", id); }), 1000, 130);
}

TEST(Bucket, IsTheSameOnEveryMachine) {
  // A change of these numbers reshuffles every sampled share of every deployment.
  EXPECT_EQ(bucket("understudy", "shadow", "sonnet", "8d2b8b4e-6f5b-4f0e-9a57-3f7f5a1c2d3e"),
            3500U);
  EXPECT_EQ(bucket("understudy", "canary", "sonnet", "00000000000000ff"), 270U);
  EXPECT_EQ(key(R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})"),
            0x2a2300bbd7ea6e9aU);
  EXPECT_NE(bucket("ab", "c", "d", "e"), bucket("a", "bc", "d", "e"));
}

struct Conversation {
  const char* family;
  const char* first;
  const char* later;
  const char* other;
};

const std::vector<Conversation> kConversations{
    {"Converse",
     R"({"system":[{"text":"S"}],"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":5}})",
     R"({"system":[{"text":"S"}],"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"text":"yo"}]},{"role":"user","content":[{"text":"x"}]}]})",
     R"({"system":[{"text":"S"}],"messages":[{"role":"user","content":[{"text":"ho"}]}]})"},
    {"Converse with role last and a cache point",
     R"({"messages":[{"content":[{"text":"hi"},{"cachePoint":{"type":"default"}}],"role":"user"}]})",
     R"({"messages":[{"content":[{"text":"hi"}],"role":"user"},{"content":[{"text":"a"}],"role":"assistant"}]})",
     R"({"messages":[{"content":[{"text":"ho"}],"role":"user"}]})"},
    {"Anthropic, whose clients turn text into blocks with a cache marker",
     R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"system":"S","messages":[{"role":"user","content":"hi"}]})",
     R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"system":"S","messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]},{"role":"assistant","content":"a"}]})",
     R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"system":"S","messages":[{"role":"user","content":"ho"}]})"},
    {"OpenAI, with its system turn inside",
     R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":"hi"}]})",
     R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":"hi"},{"role":"assistant","content":"a"}]})",
     R"({"messages":[{"role":"system","content":"T"},{"role":"user","content":"hi"}]})"},
    {"Llama 3",
     R"({"prompt":"<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>","max_gen_len":9})",
     R"({"prompt":"<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>a<|eot_id|><|start_header_id|>user","max_gen_len":9})",
     R"({"prompt":"<|start_header_id|>user<|end_header_id|>\n\nho<|eot_id|><|start_header_id|>assistant<|end_header_id|>","max_gen_len":9})"},
    {"Mistral", R"({"prompt":"<s>[INST] hi [/INST]"})",
     R"({"prompt":"<s>[INST] hi [/INST] a</s>[INST] b [/INST]"})",
     R"({"prompt":"<s>[INST] ho [/INST]"})"},
    {"Titan", R"({"inputText":"User: hi\nBot:"})",
     R"({"inputText":"User: hi\nBot: a\nUser: b\nBot:"})", R"({"inputText":"User: ho\nBot:"})"},
    {"Claude 2", R"({"prompt":"\n\nHuman: hi\n\nAssistant:"})",
     R"({"prompt":"\n\nHuman: hi\n\nAssistant: a\n\nHuman: b\n\nAssistant:"})",
     R"({"prompt":"\n\nHuman: ho\n\nAssistant:"})"},
    {"Cohere", R"({"message":"hi","preamble":"S"})",
     R"({"message":"b","chat_history":[{"role":"USER","message":"hi"},{"role":"CHATBOT","message":"a"}]})",
     R"({"message":"ho"})"},
};

TEST(ConversationKey, StaysWhileTurnsAreAppendedInEveryFamily) {
  for (const Conversation& row : kConversations) {
    EXPECT_EQ(key(row.first), key(row.later)) << row.family;
    EXPECT_NE(key(row.first), key(row.other)) << row.family;
  }
}

TEST(ConversationKey, CountsTheSystemPromptThatStandsBeforeTheMessages) {
  EXPECT_NE(
      key(R"({"system":[{"text":"A"}],"messages":[{"role":"user","content":[{"text":"hi"}]}]})"),
      key(R"({"system":[{"text":"B"}],"messages":[{"role":"user","content":[{"text":"hi"}]}]})"));
}

TEST(ConversationKey, ReadsNothingBehindTheFirstUserTurn) {
  const std::string opening = R"({"messages":[{"role":"user","content":"hi"})";
  EXPECT_EQ(key(opening + "]}"), key(opening + ", broken"));
}

TEST(ConversationKey, IsTheHashOfTheBeginningWhereThereIsNoTurnToFind) {
  EXPECT_NE(key("not json"), key("not json either"));
  EXPECT_NE(key(R"({"texts":["a"]})"), key(R"({"texts":["b"]})"));
  const std::string long_text(100 << 10, 'x');
  EXPECT_EQ(key(long_text), key(long_text + "y")) << "beyond 64 KiB nothing counts";
  EXPECT_EQ(key(""), key(""));
}

TEST(ConversationKey, ReadsNoMoreThanItMay) {
  const std::string body = R"({"messages":[{"role":"user","content":")" + std::string(1000, 'a');
  const std::string one = body + R"(1"}]})";
  const std::string two = body + R"(2"}]})";
  EXPECT_NE(conversation_key(one, kScan), conversation_key(two, kScan));
  const std::string far_one =
      std::string(R"({"x":")") + std::string(70'000, 'x') + R"(",)" + one.substr(1);
  const std::string far_two =
      std::string(R"({"x":")") + std::string(70'000, 'x') + R"(",)" + two.substr(1);
  EXPECT_NE(conversation_key(far_one, kScan), conversation_key(far_two, kScan));
  EXPECT_EQ(conversation_key(far_one, 1000), conversation_key(far_two, 1000));
}

TEST(ConversationKey, SurvivesAnyPrefixOfABodyAndDeepNesting) {
  for (const Conversation& row : kConversations) {
    const std::string_view body = row.later;
    for (std::size_t length = 0; length <= body.size(); ++length) {
      key(body.substr(0, length));
      is_probe(body.substr(0, length));
    }
  }
  const std::string deep = R"({"messages":)" + std::string(100'000, '[');
  EXPECT_EQ(key(deep), key(deep));
  EXPECT_FALSE(is_probe(deep));
}

TEST(Probe, IsARequestForOneToken) {
  for (const char* body :
       {R"({"max_tokens":1,"messages":[]})", R"({"messages":[{"x":"\"}"}], "max_tokens" : 1 })",
        R"({"inferenceConfig":{"maxTokens":1}})",
        R"({"inferenceConfig":{"topP":1,"max_new_tokens":1}})", R"({"prompt":"x","max_gen_len":1})",
        R"({"textGenerationConfig":{"maxTokenCount":1}})", R"({"maxTokens":1})"}) {
    EXPECT_TRUE(is_probe(body)) << body;
  }
}

TEST(Probe, IsNothingElse) {
  for (const char* body : {"", "{}", "1", R"({"max_tokens":10})", R"({"max_tokens":"1"})",
                           R"({"max_tokens":[1]})", R"({"messages":[{"max_tokens":1}]})",
                           R"({"inferenceConfig":{"temperature":1}})", R"({"inferenceConfig":1})",
                           R"({"tools":{"max_tokens":1},"max_tokens":2})", R"({"max_tokens":1)"}) {
    EXPECT_FALSE(is_probe(body)) << body;
  }
}

TEST(MaxOutputTokens, IsTheSmallestBoundThatTheBodyNames) {
  EXPECT_EQ(max_output_tokens(R"({"inferenceConfig":{"maxTokens":2000},"messages":[]})"), 2000U);
  EXPECT_EQ(max_output_tokens(R"({"max_tokens":300,"messages":[{"max_tokens":1}]})"), 300U);
  EXPECT_EQ(max_output_tokens(R"({"max_completion_tokens":50,"max_tokens":60})"), 50U);
  for (const char* body : {"", "{}", R"({"max_tokens":-1})", R"({"max_tokens":1e3})",
                           R"({"max_tokens":99999999999999999999})", R"({"max_tokens":7)"}) {
    EXPECT_EQ(max_output_tokens(body), std::nullopt) << body;
  }
}

TEST(ConversationKey, KnowsAConversationOfTheSecondWireByItsBeginning) {
  const auto goes_on = [](std::string_view first, std::string_view second) {
    EXPECT_EQ(key(first), key(second)) << first << second;
  };
  goes_on(
      R"({"model":"a","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]})",
      R"({"model":"a","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},)"
      R"({"role":"assistant","content":"x"},{"role":"user","content":"v"}]})");
  goes_on(R"({"input":"u","instructions":"s"})", R"({"input":"u"})");
  goes_on(R"({"instructions":"s","input":[{"role":"user","content":"u"}]})",
          R"({"instructions":"s","input":[{"role":"user","content":"u"},{"role":"assistant",)"
          R"("content":"x"},{"role":"user","content":"v"}]})");
  EXPECT_NE(key(R"({"instructions":"s","input":"u"})"), key(R"({"instructions":"t","input":"u"})"));
  EXPECT_NE(key(R"({"input":"u"})"), key(R"({"input":"v"})"));
}

TEST(IsProbe, KnowsTheSecondWiresLimits) {
  EXPECT_TRUE(is_probe(R"({"model":"a","max_tokens":1,"messages":[]})"));
  EXPECT_TRUE(is_probe(R"({"model":"a","max_completion_tokens":1})"));
  EXPECT_TRUE(is_probe(R"({"input":"a","max_output_tokens":1})"));
  EXPECT_FALSE(is_probe(R"({"input":"a","max_output_tokens":16})"));
}

}  // namespace
}  // namespace understudy::routing
