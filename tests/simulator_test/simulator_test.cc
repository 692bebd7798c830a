// The simulator over real sockets: shapes, determinism and errors as recorded.

#include "tests/simulator/simulator.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/simulator/base64.h"
#include "tests/simulator_test/simulator_fixture.h"

namespace understudy::simulator {
namespace {

using nlohmann::json;

constexpr const char* kAnthropic =
    R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":300,"messages":[{"role":"user","content":"Where is my order?"}]})";
constexpr const char* kWeatherTool =
    R"("toolConfig":{"tools":[{"toolSpec":{"name":"get_weather","inputSchema":{"json":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":2,"maximum":4}}}}}}]})";

TEST_F(SimulatorTest, ConverseAnswersInBedrocksShapeWithSortedKeys) {
  const HttpReply reply = ask("anthropic.claude-a-v1%3A0", "converse");
  ASSERT_EQ(reply.status, 200u);
  EXPECT_EQ(reply.header("content-type"), "application/json");
  EXPECT_EQ(reply.header("connection"), "keep-alive");
  EXPECT_EQ(reply.header("x-amzn-requestid").size(), 36u);
  EXPECT_EQ(reply.header("x-amzn-bedrock-input-token-count"), "");
  const json body = json::parse(reply.body);
  EXPECT_EQ(reply.body, body.dump()) << "compact, keys sorted";
  EXPECT_EQ(body["stopReason"], "end_turn");
  EXPECT_EQ(body["usage"]["totalTokens"],
            body["usage"]["inputTokens"].get<int>() + body["usage"]["outputTokens"].get<int>());
  EXPECT_TRUE(body["usage"].contains("serverToolUsage"));
  EXPECT_GE(body["metrics"]["latencyMs"], 1);
}

TEST_F(SimulatorTest, RequestIdsAreUnique) {
  EXPECT_NE(ask("amazon.nova", "converse").header("x-amzn-requestid"),
            ask("amazon.nova", "converse").header("x-amzn-requestid"));
}

TEST_F(SimulatorTest, StreamSaysWhatTheWholeAnswerSays) {
  const HttpReply reply = ask("anthropic.claude-a-v1:0", "converse-stream");
  EXPECT_EQ(reply.header("content-type"), "application/vnd.amazon.eventstream");
  EXPECT_EQ(reply.header("transfer-encoding"), "chunked");
  EXPECT_TRUE(reply.complete);
  const auto frames = split_frames(reply.body);
  ASSERT_TRUE(frames);
  std::string text;
  for (const TestFrame& frame : *frames) {
    EXPECT_EQ(frame.message, "event");
    const json payload = json::parse(frame.payload);
    EXPECT_EQ(frame.payload, payload.dump());
    EXPECT_GE(payload["p"].get<std::string>().size(), 2u);
    EXPECT_NE(frame.type, "contentBlockStart") << "text blocks have none";
    if (frame.type == "contentBlockDelta") text += payload["delta"]["text"];
  }
  EXPECT_EQ(frames->front().type, "messageStart");
  EXPECT_EQ(frames->back().type, "metadata");
  EXPECT_EQ(text, text_of("anthropic.claude-a-v1:0"));
  const json whole = json::parse(ask("anthropic.claude-a-v1:0", "converse").body);
  EXPECT_EQ(json::parse(frames->back().payload)["usage"], whole["usage"]);
}

TEST_F(SimulatorTest, EqualRequestsGetEqualBytesFromAnyInstance) {
  const auto other = Simulator::start(kModels);
  for (const std::string model : {"anthropic.claude-a-v1:0", "amazon.nova"}) {
    for (const std::string operation : {"converse", "converse-stream"}) {
      const std::string body = ask(model, operation).body;
      EXPECT_EQ(body, ask(model, operation).body);
      EXPECT_EQ(body, post(other->port(), path(model, operation), kConverse).body);
    }
  }
  EXPECT_EQ(ask("anthropic.claude-a-v1:0", "invoke", kAnthropic).body,
            post(other->port(), path("anthropic.claude-a-v1:0", "invoke"), kAnthropic).body);
  EXPECT_NE(text_of("amazon.nova"),
            text_of("amazon.nova", R"({"messages":[{"role":"user","content":[{"text":"No"}]}]})"));
}

TEST_F(SimulatorTest, ModelsAgreeUnlessTheirStyleDiffers) {
  EXPECT_EQ(text_of("amazon.nova"), text_of("meta.llama"));
  bedrock_->change_model("meta.llama", [](Model& model) { model.answer.paraphrase_percent = 100; });
  EXPECT_NE(text_of("amazon.nova"), text_of("meta.llama"));
  bedrock_->change_model("meta.llama", [](Model& model) { model.answer.refuse_percent = 100; });
  EXPECT_TRUE(text_of("meta.llama").starts_with("I'm sorry"));
}

TEST_F(SimulatorTest, InvokeModelSpeaksEachFamilysBodyAndCountsInHeaders) {
  const auto check = [&](const std::string& model, const char* request,
                         const json::json_pointer& text, const json::json_pointer& stop,
                         const char* expected_stop) {
    const HttpReply reply = ask(model, "invoke", request);
    ASSERT_EQ(reply.status, 200u) << reply.body;
    const json body = json::parse(reply.body);
    EXPECT_FALSE(body.at(text).get<std::string>().empty()) << reply.body;
    EXPECT_EQ(body.at(stop), expected_stop) << reply.body;
    EXPECT_NE(reply.header("x-amzn-bedrock-input-token-count"), "");
    EXPECT_NE(reply.header("x-amzn-bedrock-output-token-count"), "");
    EXPECT_NE(reply.header("x-amzn-bedrock-invocation-latency"), "");
  };
  using pointer = json::json_pointer;
  check("anthropic.claude-a-v1:0", kAnthropic, pointer{"/content/0/text"}, pointer{"/stop_reason"},
        "end_turn");
  check("amazon.nova", kConverse, pointer{"/output/message/content/0/text"}, pointer{"/stopReason"},
        "end_turn");
  check("meta.llama", R"({"prompt":"Hi"})", pointer{"/generation"}, pointer{"/stop_reason"},
        "stop");
  check("mistral.seven", R"({"prompt":"Hi"})", pointer{"/outputs/0/text"},
        pointer{"/outputs/0/stop_reason"}, "stop");
  check("amazon.titan", R"({"inputText":"Hi"})", pointer{"/results/0/outputText"},
        pointer{"/results/0/completionReason"}, "FINISH");
}

TEST_F(SimulatorTest, InvokeStreamCarriesInnerObjectsAndMetricsInTheLast) {
  const std::pair<const char*, const char*> cases[] = {{"anthropic.claude-a-v1:0", kAnthropic},
                                                       {"amazon.nova", kConverse},
                                                       {"meta.llama", R"({"prompt":"Hi"})"},
                                                       {"mistral.seven", R"({"prompt":"Hi"})"},
                                                       {"amazon.titan", R"({"inputText":"Hi"})"}};
  for (const auto& [model, request] : cases) {
    const HttpReply reply = ask(model, "invoke-with-response-stream", request);
    ASSERT_EQ(reply.status, 200u) << reply.body;
    EXPECT_EQ(reply.header("x-amzn-bedrock-content-type"), "application/json");
    const auto frames = split_frames(reply.body);
    ASSERT_TRUE(frames);
    for (const TestFrame& frame : *frames) {
      EXPECT_EQ(frame.type, "chunk");
      const json inner = json::parse(
          base64_decode(json::parse(frame.payload)["bytes"].get<std::string>()).value());
      EXPECT_TRUE(inner.is_object()) << inner;
      EXPECT_EQ(inner.contains("amazon-bedrock-invocationMetrics"), &frame == &frames->back())
          << inner;
    }
  }
}

TEST_F(SimulatorTest, ToolsAreCalledAsTheirSchemaAllowsAndAnsweredAfterwards) {
  const std::string request =
      std::string{R"({"messages":[{"role":"user","content":[{"text":"Weather?"}]}],)"} +
      kWeatherTool + "}";
  const json body = json::parse(ask("anthropic.claude-a-v1:0", "converse", request).body);
  EXPECT_EQ(body["stopReason"], "tool_use");
  const json call = body["output"]["message"]["content"][0]["toolUse"];
  EXPECT_EQ(call["name"], "get_weather");
  EXPECT_TRUE(call["input"]["city"].is_string());
  EXPECT_GE(call["input"]["days"], 2);
  EXPECT_LE(call["input"]["days"], 4);

  const auto frames = split_frames(ask("anthropic.claude-a-v1:0", "converse-stream", request).body);
  ASSERT_TRUE(frames);
  std::string input;
  for (const TestFrame& frame : *frames) {
    if (frame.type == "contentBlockDelta")
      input += json::parse(frame.payload)["delta"]["toolUse"]["input"].get<std::string>();
  }
  EXPECT_EQ(json::parse(input), call["input"]);

  const std::string second =
      std::string{
          R"({"messages":[{"role":"user","content":[{"text":"Weather?"}]},{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"sun"}]}}]}],)"} +
      kWeatherTool + "}";
  EXPECT_EQ(json::parse(ask("anthropic.claude-a-v1:0", "converse", second).body)["stopReason"],
            "end_turn");
}

TEST_F(SimulatorTest, JsonIsAnsweredWhenAskedForWithTheKeysNamed) {
  const char* request =
      R"({"system":[{"text":"Answer in JSON with \"category\" and \"summary\"."}],"messages":[{"role":"user","content":[{"text":"x"}]}]})";
  const json answer = json::parse(text_of("amazon.nova", request));
  EXPECT_EQ(answer.size(), 2u);
  EXPECT_TRUE(answer.contains("category") && answer.contains("summary"));
  bedrock_->change_model("amazon.nova",
                         [](Model& model) { model.answer.fence_json_percent = 100; });
  EXPECT_TRUE(text_of("amazon.nova", request).starts_with("```json\n"));
}

TEST_F(SimulatorTest, MaxTokensAndStopSequencesEndTheAnswer) {
  const json cut = json::parse(
      ask("amazon.nova", "converse",
          R"({"inferenceConfig":{"maxTokens":3},"messages":[{"role":"user","content":[{"text":"x"}]}]})")
          .body);
  EXPECT_EQ(cut["stopReason"], "max_tokens");
  EXPECT_EQ(cut["usage"]["outputTokens"], 3);
  const json stopped = json::parse(
      ask("amazon.nova", "converse",
          R"({"inferenceConfig":{"stopSequences":[" the "]},"messages":[{"role":"user","content":[{"text":"x"}]}]})")
          .body);
  EXPECT_EQ(stopped["stopReason"], "stop_sequence");
}

TEST_F(SimulatorTest, CountTokensReadsBothForms) {
  EXPECT_EQ(
      ask("amazon.nova", "count-tokens", std::string{R"({"input":{"converse":)"} + kConverse + "}}")
          .body,
      R"({"inputTokens":5})");
  const std::string wrapped =
      R"({"input":{"invokeModel":{"body":")" + base64_encode(kAnthropic) + R"("}}})";
  EXPECT_EQ(ask("anthropic.claude-a-v1:0", "count-tokens", wrapped).body, R"({"inputTokens":5})");
}

TEST_F(SimulatorTest, CachePointsSplitTheInput) {
  const char* request =
      R"({"system":[{"text":"0123456789012345678901234567890123456789"},{"cachePoint":{"type":"default"}}],"messages":[{"role":"user","content":[{"text":"01234567"}]}]})";
  const json usage = json::parse(ask("amazon.nova", "converse", request).body)["usage"];
  EXPECT_EQ(usage["cacheReadInputTokens"], 10);
  EXPECT_EQ(usage["inputTokens"], 2);
}

// What the service answered when it was recorded, byte for byte but for date and request id.
TEST_F(SimulatorTest, ErrorsEqualTheRecordedOnes) {
  struct Case {
    const char* recorded;
    std::string model;
    const char* body;
    const char* headers;
  };
  const Case cases[] = {
      {"error-400-invalid-model", "nobody.nothing", kConverse, ""},
      {"error-400-needs-profile", "anthropic.claude-sonnet-4-20250514-v1%3A0", kConverse, ""},
      {"error-400-temperature-converse", "anthropic.newest",
       R"({"inferenceConfig":{"temperature":0.5},"messages":[{"role":"user","content":[{"text":"x"}]}]})",
       ""},
      {"error-403-access-denied", "amazon.nova", kConverse, "x-sim-status: 403\r\n"},
      {"error-404-eol", "anthropic.ended", kConverse, ""},
      {"error-404-legacy-inactive", "anthropic.legacy", kConverse, ""},
      {"error-408-model-timeout", "amazon.nova", kConverse, "x-sim-status: 408\r\n"},
      {"error-424-model-error", "anthropic.claude-sonnet-4-5-20250929-v1:0", kConverse,
       "x-sim-status: 424\r\n"},
      {"error-429-throttling", "anthropic.throttled", kConverse, ""},
      {"error-500", "amazon.nova", kConverse, "x-sim-status: 500\r\n"},
      {"error-503", "amazon.nova", kConverse, "x-sim-status: 503\r\n"},
  };
  const std::regex varying{"(Date|x-amzn-RequestId): [^\r]*"};
  for (const Case& c : cases) {
    std::ifstream stream{std::string{UNDERSTUDY_CORPUS} + "/wire/responses/" + c.recorded + ".http",
                         std::ios::binary};
    const std::string recorded{std::istreambuf_iterator<char>{stream}, {}};
    ASSERT_FALSE(recorded.empty()) << c.recorded;
    const HttpReply reply = ask(c.model, "converse", c.body, c.headers);
    EXPECT_EQ(std::regex_replace(reply.head + "\r\n" + reply.body, varying, "$1"),
              std::regex_replace(recorded, varying, "$1"))
        << c.recorded;
  }
}

TEST_F(SimulatorTest, ProfileIdsAndArnsReachProfileOnlyModels) {
  EXPECT_EQ(ask("anthropic.profile-only", "converse").status, 400u);
  EXPECT_EQ(ask("us.anthropic.profile-only", "converse").status, 200u);
  EXPECT_EQ(
      ask("arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.profile-only",
          "converse")
          .status,
      200u);
}

TEST_F(SimulatorTest, ParametersAreRefusedInTheWordsOfTheModel) {
  const auto message = [](const HttpReply& reply) {
    return json::parse(reply.body).value("message", "");
  };
  EXPECT_EQ(
      message(ask(
          "anthropic.newest", "invoke",
          R"({"anthropic_version":"x","max_tokens":9,"top_k":1,"messages":[{"role":"user","content":"x"}]})")),
      "`top_k` is deprecated for this model.");
  EXPECT_EQ(
      message(ask(
          "anthropic.newest", "invoke",
          R"({"anthropic_version":"x","max_tokens":128001,"messages":[{"role":"user","content":"x"}]})")),
      "max_tokens: 128001 > 64000, which is the maximum allowed number of output tokens for "
      "anthropic.newest");
  EXPECT_EQ(
      message(ask(
          "anthropic.newest", "converse",
          R"({"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"text":"{"}]}]})")),
      "The model returned the following errors: This model does not support assistant message "
      "prefill. The "
      "conversation must end with a user message.");
  EXPECT_EQ(
      message(ask(
          "amazon.titan", "converse",
          R"({"inferenceConfig":{"temperature":1},"messages":[{"role":"user","content":[{"text":"x"}]}]})")),
      "This model doesn't support the temperature field. Remove temperature and try again.");
  EXPECT_EQ(message(ask("anthropic.newest", "invoke", R"({"max_tokens":1})")),
            "Malformed input request: #: required key [anthropic_version] not found, please "
            "reformat your input and try again.");
}

TEST_F(SimulatorTest, HostileBodiesAreRefusedAndHarmNobody) {
  for (const std::string& body :
       {std::string{"{"}, std::string{}, std::string{"[]"}, std::string(100'000, '['),
        std::string{
            R"({"messages":[1,{"role":2,"content":{"text":[]}}],"system":7,"toolConfig":[]})"},
        std::string{R"({"messages":{"a":1}})"}, std::string{"\xff\xfe"}}) {
    const HttpReply reply = ask("amazon.nova", "converse", body);
    EXPECT_TRUE(reply.status == 200 || reply.status == 400) << reply.status << " " << reply.body;
  }
  EXPECT_EQ(ask("amazon.nova", "converse").status, 200u);
}

TEST_F(SimulatorTest, EchoGivesBackEveryByte) {
  for (const std::size_t size : {0u, 1u, 1000u, 5'000'000u}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 31);
    const HttpReply reply = ask("understudy.echo", "invoke", body);
    EXPECT_TRUE(reply.body == body) << size;
    EXPECT_EQ(reply.header("content-type"), "application/octet-stream");
  }
  const auto frames = split_frames(
      ask("understudy.echo", "invoke-with-response-stream", "{}", "x-sim-stream-bytes: 100000\r\n")
          .body);
  ASSERT_TRUE(frames);
  EXPECT_EQ(frames->size(), 8u) << "seven pieces of 16 KiB at most, and the metrics";
}

TEST_F(SimulatorTest, GuardrailsCountTheTextTheyAreGiven) {
  const std::string applied = "/guardrail/g/version/DRAFT/apply";
  const std::string text = json{{"text", {{"text", std::string(1001, 'x')}}}}.dump();
  const json one = json::parse(
      post(bedrock_->port(), applied, R"({"source":"INPUT","content":[)" + text + "]}").body);
  EXPECT_EQ(one["guardrailCoverage"]["textCharacters"]["total"], 1001);
  EXPECT_EQ(one["usage"]["topicPolicyUnits"], 2);
  EXPECT_EQ(post(bedrock_->port(), applied, R"({"source":"INPUT"})").status, 400u);
  // Strange shapes are no text.
  EXPECT_EQ(post(bedrock_->port(), applied, R"({"content":[1,{"text":2},{"text":{}}]})").status,
            200u);
}

TEST_F(SimulatorTest, GuardrailChecksAnswerWhatWasAskedFor) {
  const std::string target = "/guardrail-checks/invoke";
  const json told = json::parse(
      post(
          bedrock_->port(), target,
          R"({"messages":[{"role":"user","content":[{"text":"hello"}]}],)"
          R"("checks":{"contentFilter":{"categories":[{"category":"HATE"}]},"sensitiveInformation":{}}})")
          .body);
  EXPECT_EQ(told["results"]["contentFilter"]["results"][0]["category"], "HATE");
  EXPECT_FALSE(told["results"].contains("promptAttack"));
  EXPECT_EQ(told["usage"]["sensitiveInformation"]["textUnits"], 1);
  EXPECT_EQ(post(bedrock_->port(), target, R"({"messages":[]})").status, 400u);
  EXPECT_EQ(post(bedrock_->port(), target, R"({"messages":[1],"checks":1})").status, 200u);
}

TEST_F(SimulatorTest, AsynchronousCallsAreStartedGotAndListedByPages) {
  const std::uint16_t port = bedrock_->port();
  const std::string input = R"({"clientRequestToken":"t","modelInput":{}})";
  const json started = json::parse(post(port, "/async-invoke", input).body);
  EXPECT_EQ(started, json::parse(post(port, "/async-invoke", input).body)) << "the same token";
  const std::string arn = started["invocationArn"];
  EXPECT_EQ(json::parse(get(port, "/async-invoke/" + arn).body)["invocationArn"], arn);
  EXPECT_EQ(get(port, "/async-invoke/of-nobody").status, 400u);

  const auto listed = [port](const std::string& query) {
    return json::parse(get(port, "/async-invoke?" + query).body);
  };
  EXPECT_EQ(listed("statusEquals=InProgress")["asyncInvokeSummaries"].size(), 1u);
  const json first = listed("maxResults=2&sortOrder=Ascending");
  ASSERT_EQ(first["asyncInvokeSummaries"].size(), 2u);
  const json rest = listed("maxResults=2&nextToken=" + first["nextToken"].get<std::string>());
  EXPECT_EQ(rest["asyncInvokeSummaries"].size(), 1u);
  EXPECT_FALSE(rest.contains("nextToken"));
}

TEST_F(SimulatorTest, ControlPlaneAndUnknownOperations) {
  const json models =
      json::parse(get(bedrock_->port(), "/foundation-models").body)["modelSummaries"];
  for (const json& model : models)
    EXPECT_NE(model["modelId"], "anthropic.ended") << "ended models are absent";
  EXPECT_EQ(get(bedrock_->port(), "/foundation-models/anthropic.ended").status, 404u);
  EXPECT_EQ(json::parse(get(bedrock_->port(), "/foundation-models/anthropic.legacy")
                            .body)["modelDetails"]["modelLifecycle"]["status"],
            "LEGACY");
  EXPECT_FALSE(json::parse(get(bedrock_->port(), "/inference-profiles?type=SYSTEM_DEFINED")
                               .body)["inferenceProfileSummaries"]
                   .empty());
  EXPECT_EQ(json::parse(get(bedrock_->port(), "/inference-profiles/us.amazon.nova").body)["status"],
            "ACTIVE");
  const HttpReply unknown = get(bedrock_->port(), "/nothing");
  EXPECT_EQ(unknown.status, 404u);
  EXPECT_EQ(unknown.header("x-amzn-errortype"), "UnknownOperationException");
  EXPECT_EQ(unknown.body, "<UnknownOperationException/>");
}

}  // namespace
}  // namespace understudy::simulator
