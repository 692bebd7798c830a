// Reference values of the usual measures, and why containment was chosen over them.

#include "tests/metrics/text_similarity.h"

#include <gtest/gtest.h>

namespace understudy::bench {
namespace {

constexpr double kDigits = 5e-5;  // as many as the reference gives
constexpr std::string_view kMat = "The cat sat on the mat.", kOtherMat = "The cat sat on a mat!";
constexpr std::string_view kLetters = "a b c d e f", kEveryOther = "a c e g";

TEST(TextSimilarity, OfBytesMatchesTheCheckValues) {
  EXPECT_EQ(levenshtein("kitten", "sitting"), 3u);
  EXPECT_NEAR(levenshtein_similarity("kitten", "sitting"), .5714, kDigits);
  EXPECT_NEAR(levenshtein_similarity("h\xc3\xa9llo w\xc3\xb6rld", "hello world"), .6923, kDigits);
  EXPECT_NEAR(chrf(kMat, kOtherMat), .6164, kDigits);
}

TEST(TextSimilarity, OfTokensMatchesTheCheckValues) {
  EXPECT_NEAR(rouge_l(kMat, kOtherMat), .7143, kDigits);
  EXPECT_NEAR(token_jaccard(kMat, kOtherMat), .6250, kDigits);
  EXPECT_NEAR(rouge_l(kLetters, kEveryOther), .6000, kDigits);
  EXPECT_NEAR(token_jaccard(kLetters, kEveryOther), .4286, kDigits);
  EXPECT_NEAR(token_cosine(kLetters, kEveryOther), .6124, kDigits);
}

TEST(TextSimilarity, KnowsItselfAndNothing) {
  for (const auto measure : {levenshtein_similarity, rouge_l, token_jaccard, token_cosine, chrf}) {
    EXPECT_NEAR(measure(kMat, kMat), 1.0, 1e-12);
    EXPECT_EQ(measure(kMat, ""), 0.0);
  }
}

}  // namespace
}  // namespace understudy::bench
