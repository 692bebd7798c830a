#include "proxy/commands/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "metrics/end_of_life.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"

namespace understudy::testing_support {
namespace {

using testing::HasSubstr;
using testing::Not;

class Preflight : public testing::Test {
 protected:
  std::unique_ptr<FakeBedrock> primary = FakeBedrock::replies(converse_answer("primary"));
  // As a newer model does.
  std::unique_ptr<FakeBedrock> candidate =
      std::make_unique<FakeBedrock>([](const FakeRequest& request, FakePeer& peer) {
        if (request.body.find("temperature") == std::string::npos)
          return static_cast<void>(peer.send(answer(converse_answer("candidate"))));
        peer.send(answer(R"({"message":"`temperature` is deprecated for this model."})",
                         "400 Bad Request"));
      });

  // What it prints, and whether all is well.
  std::pair<std::string, bool> run(const std::string& rewrite) {
    ProxySetup setup{.primary_port = primary->port(), .candidate_port = candidate->port()};
    setup.match = "models: [anthropic.old-v1:0]";
    setup.candidate_model = "anthropic.new-v1:0";
    setup.rewrite = rewrite;
    ProxyUnderTest proxy(setup);
    std::ostringstream out;
    const bool good = proxy::run_preflight(proxy.server().snapshot(), out);
    return {out.str(), good};
  }
};

TEST_F(Preflight, ExplainsEachRefusalAndNamesTheWayOut) {
  const auto [text, good] = run("");
  EXPECT_FALSE(good);
  EXPECT_THAT(text, HasSubstr("route primary anthropic.old-v1:0 temperature: ok\n"));
  EXPECT_THAT(text, HasSubstr("route candidate anthropic.new-v1:0 converse: ok\n"));
  EXPECT_THAT(text,
              HasSubstr("route candidate anthropic.new-v1:0 temperature: 400 `temperature` is "
                        "deprecated for this model.\n"));
  EXPECT_THAT(text, HasSubstr("`rewrite: [{preset: drop-sampling}]` does away with it"));
  EXPECT_EQ(primary->count(), proxy::shapes_for("anthropic.old-v1:0").size());
}

TEST_F(Preflight, SendsWhatTheRewriteMakesOfIt) {
  const auto [text, good] = run("[{preset: drop-sampling}]");
  EXPECT_TRUE(good) << text;
  EXPECT_THAT(text, Not(HasSubstr(": 400 ")));
}

TEST(ExplainRefusal, KnowsTheErrorsThatAreNoMatterOfShape) {
  const auto explained = [](int status, std::string_view message) {
    return proxy::explain_refusal(status, R"({"message":")" + std::string(message) + R"("})");
  };
  EXPECT_THAT(explained(404, metrics::kEndOfLifeText), HasSubstr("end of life"));
  EXPECT_THAT(
      explained(400, "Invocation of model ID a.b with on-demand throughput isn\u2019t supported."),
      HasSubstr("inference profile"));
  EXPECT_THAT(explained(400, "The provided model identifier is invalid."), HasSubstr("typo"));
  EXPECT_THAT(explained(403, "You don't have access"), HasSubstr("credentials"));
  EXPECT_THAT(explained(429, "Too many tokens"), HasSubstr("throttled"));
  EXPECT_THAT(explained(503, ""), HasSubstr("upstream failed"));
}

}  // namespace
}  // namespace understudy::testing_support
