#include "metrics/end_of_life.h"

#include <gtest/gtest.h>

#include <string>

namespace understudy::metrics {
namespace {

constexpr const char* kLockedOut =
    "Access denied. This Model is marked by provider as Legacy and you have not been actively "
    "using "
    "the model in the last 15 days. Please upgrade to an active model on Amazon Bedrock";
constexpr const char* kInvalid = "The provided model identifier is invalid.";

TEST(EndOfLife, ATextOfA404TellsByItself) {
  EXPECT_EQ(model_gone(404, kEndOfLifeText, false), ModelGone::ended);
  EXPECT_EQ(model_gone(404, kLockedOut, false), ModelGone::locked_out);
  std::string thirty = kLockedOut;
  thirty.replace(thirty.find("15"), 2, "30");
  EXPECT_EQ(model_gone(404, thirty, false), ModelGone::locked_out);
}

TEST(EndOfLife, AnInvalidIdentifierIsATypoUnlessItWasGood) {
  EXPECT_EQ(model_gone(400, kInvalid, false), std::nullopt);
  EXPECT_EQ(model_gone(400, kInvalid, true), ModelGone::ended);
}

TEST(EndOfLife, OtherErrorsSayNothing) {
  EXPECT_EQ(model_gone(404, "Model use case details have not been submitted", true), std::nullopt);
  EXPECT_EQ(model_gone(429, kEndOfLifeText, true), std::nullopt);
  EXPECT_EQ(model_gone(200, kEndOfLifeText, true), std::nullopt);
  EXPECT_EQ(model_gone(400, "Malformed input request: has reached the end of its life", true),
            std::nullopt)
      << "a refusal may quote the request";
  EXPECT_EQ(
      model_gone(403, "You don't have access to the model with the specified model ID.", true),
      std::nullopt);
}

TEST(EndOfLife, TheMessageIsFoundInTheErrorsOfEachApi) {
  const std::string text(kEndOfLifeText);
  for (const std::string& body :
       {R"({"message":")" + text + R"("})", R"({"Message":")" + text + R"("})",
        R"({"type":"error","error":{"type":"not_found_error","message":")" + text + R"("}})",
        R"({"error":{"code":"not_found","message":")" + text + R"("}})"}) {
    EXPECT_EQ(model_gone_by_body(404, body, false), ModelGone::ended) << body;
  }
  for (const std::string body : {"", "<html>", R"({"message":7})", R"({"error":"gone"})", R"([])"})
    EXPECT_EQ(model_gone_by_body(404, body, true), std::nullopt) << body;
}

}  // namespace
}  // namespace understudy::metrics
