#include "routing/operation.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace understudy::routing {
namespace {

RequestTarget parsed(std::string_view target, std::string_view method = "POST",
                     std::string_view base_path = "") {
  auto result = parse_target(method, target, base_path);
  if (const auto* problem = std::get_if<TargetProblem>(&result)) {
    ADD_FAILURE() << target << ": " << problem->what;
    return {};
  }
  return std::get<RequestTarget>(std::move(result));
}

bool refused(std::string_view target, std::string_view base_path = "") {
  return std::holds_alternative<TargetProblem>(parse_target("POST", target, base_path));
}

struct ModelCase {
  const char* raw;
  const char* decoded;
};

// Every form of bedrock-runtime's modelId pattern, and the ways in which clients write them.
const std::vector<ModelCase> kModels{
    {"anthropic.claude-sonnet-5", "anthropic.claude-sonnet-5"},
    {"anthropic.claude-opus-4-6-v1", "anthropic.claude-opus-4-6-v1"},
    {"anthropic.claude-3-haiku-20240307-v1%3A0", "anthropic.claude-3-haiku-20240307-v1:0"},
    {"anthropic.claude-3-haiku-20240307-v1%3a0", "anthropic.claude-3-haiku-20240307-v1:0"},
    {"anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"},
    {"amazon.nova-pro-v1%3A0%3A300k", "amazon.nova-pro-v1:0:300k"},
    {"us.anthropic.claude-sonnet-4-5-20250929-v1%3A0",
     "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
    {"global.anthropic.claude-sonnet-4-5-20250929-v1:0",
     "global.anthropic.claude-sonnet-4-5-20250929-v1:0"},
    {"us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
     "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0"},
    {"arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fanthropic.claude-sonnet-5",
     "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-5"},
    {"arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model%2Famazon.nova-lite-v1:0",
     "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-lite-v1:0"},
    {"arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.meta.llama4-v1%3A0",
     "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.meta.llama4-v1:0"},
    {"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc123",
     "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"},
    {"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
     "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"},
    {"arn%3aaws%3abedrock%3aus-east-1%3a123456789012%3aprovisioned-model/abcdefghijkl",
     "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl"},
    {"arn:aws:bedrock:us-east-1:123456789012:imported-model%2Fabcdefghijkl",
     "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"},
    {"arn:aws:bedrock:us-east-1:123456789012:custom-model%2Fmine.v1%2Fabcdefghijkl",
     "arn:aws:bedrock:us-east-1:123456789012:custom-model/mine.v1/abcdefghijkl"},
    {"arn:aws:bedrock:us-east-1:123456789012:custom-model/mine.v1/abcdefghijkl",
     "arn:aws:bedrock:us-east-1:123456789012:custom-model/mine.v1/abcdefghijkl"},
    {"arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment%2Fabcdefghijkl",
     "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"},
    {"arn:aws:bedrock:us-east-1:123456789012:prompt%2F0123456789%3A1",
     "arn:aws:bedrock:us-east-1:123456789012:prompt/0123456789:1"},
    {"arn:aws:bedrock:us-east-1:123456789012:default-prompt-router%2Fanthropic.claude:1",
     "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1"},
    {"arn:aws:bedrock:us-east-1:123456789012:prompt-router/mine",
     "arn:aws:bedrock:us-east-1:123456789012:prompt-router/mine"},
    {"arn:aws:sagemaker:us-east-1:123456789012:endpoint%2Fmy-endpoint",
     "arn:aws:sagemaker:us-east-1:123456789012:endpoint/my-endpoint"},
    {"arn:aws:sagemaker:us-east-1:123456789012:endpoint/converse",
     "arn:aws:sagemaker:us-east-1:123456789012:endpoint/converse"},
};

TEST(ParseTarget, DecodesEveryFormOfModelIdOnceAndForwardsTheBytesThatCame) {
  for (const ModelCase& row : kModels) {
    const std::string raw = std::string("/model/") + row.raw + "/converse-stream";
    const RequestTarget target = parsed(raw);
    EXPECT_EQ(target.model_id, row.decoded);
    EXPECT_EQ(target.raw_model, row.raw);
    EXPECT_EQ(target.forwarded, raw);
    EXPECT_EQ(target.forwarded.data(), raw.data()) << "a view of the caller's bytes";
    EXPECT_EQ(target.operation, Operation::converse_stream) << raw;
    EXPECT_EQ(target.surface, Surface::runtime);
  }
}

TEST(ParseTarget, KnowsTheOperationByTheLastSegment) {
  const std::vector<std::pair<const char*, Operation>> cases{
      {"converse", Operation::converse},
      {"converse-stream", Operation::converse_stream},
      {"invoke", Operation::invoke_model},
      {"invoke-with-response-stream", Operation::invoke_model_with_response_stream},
      {"count-tokens", Operation::count_tokens},
      {"invoke-with-bidirectional-stream", Operation::invoke_model_with_bidirectional_stream},
      {"Converse", Operation::other},
      {"converse;v=1", Operation::other},
      {"converse%20", Operation::other},
      {"", Operation::other},
  };
  for (const auto& [segment, operation] : cases) {
    const RequestTarget target = parsed(std::string("/model/a.b/") + segment);
    EXPECT_EQ(target.operation, operation) << segment;
    EXPECT_EQ(target.model_id, "a.b") << segment;
  }
}

TEST(ParseTarget, UnderstandsOperationsOnlyWhenPosted) {
  for (const char* method : {"GET", "PUT", "post", "OPTIONS", ""}) {
    EXPECT_EQ(parsed("/model/a.b/converse", method).operation, Operation::other) << method;
  }
}

TEST(ParseTarget, LeavesTheQueryOutOfTheOperation) {
  const RequestTarget target = parsed("/model/a.b/converse?x=/../y%2F&z=//");
  EXPECT_EQ(target.operation, Operation::converse);
  EXPECT_EQ(target.forwarded, "/model/a.b/converse?x=/../y%2F&z=//");
}

TEST(ParseTarget, TakesOtherPathsAsOtherWithoutAModel) {
  for (const char* path :
       {"/", "/model", "/model/", "/model/converse", "/models/a/converse", "/model/a/b/converse",
        "/async-invoke/", "/async-invoke/a/b", "/async-invoke/a", "/guardrail/g/version/1/apply/",
        "/guardrail/g/version/apply", "/guardrail-checks/invoke/x", "/openai/v1/embeddings",
        "/%6dodel/a/converse"}) {
    const RequestTarget target = parsed(path);
    EXPECT_EQ(target.operation, Operation::other) << path;
    EXPECT_EQ(target.model_id, "") << path;
    EXPECT_EQ(target.surface, Surface::runtime) << path;
    EXPECT_EQ(target.forwarded, path);
  }
}

TEST(ParseTarget, KnowsOperationsThatNameNoModelByMethodAndWholePath) {
  const struct {
    const char* method;
    const char* path;
    Operation operation;
  } cases[] = {
      {"POST", "/guardrail/g/version/DRAFT/apply", Operation::apply_guardrail},
      {"POST", "/guardrail/arn%3Aaws%3Abedrock%3A%3A1%3Aguardrail%2Fg/version/1/apply",
       Operation::apply_guardrail},
      {"POST", "/guardrail-checks/invoke", Operation::invoke_guardrail_checks},
      {"POST", "/async-invoke", Operation::start_async_invoke},
      {"GET", "/async-invoke?maxResults=1", Operation::list_async_invokes},
      {"GET", "/async-invoke/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aasync-invoke%2Fx",
       Operation::get_async_invoke},
      {"GET", "/guardrail-checks/invoke", Operation::other},
  };
  for (const auto& [method, path, operation] : cases) {
    const RequestTarget target = parsed(path, method);
    EXPECT_EQ(target.operation, operation) << method << " " << path;
    EXPECT_EQ(target.surface, Surface::runtime) << path;
    EXPECT_FALSE(is_understood(target.operation)) << path;
  }
}

TEST(ParseTarget, SendsControlPlanePathsToTheControlPlane) {
  for (const char* path :
       {"/foundation-models", "/foundation-models/anthropic.claude-sonnet-5",
        "/foundation-models?byProvider=anthropic", "/inference-profiles?type=SYSTEM_DEFINED",
        "/inference-profiles/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx",
        "/foundation-model-availability/a.b", "/provisioned-model-throughput/x",
        "/provisioned-model-throughputs", "/imported-models", "/marketplace-model/endpoints",
        "/model-customization/custom-model-deployments", "/model-customization-jobs",
        "/prompt-routers", "/custom-models", "/guardrails", "/logging/modelinvocations"}) {
    EXPECT_EQ(parsed(path, "GET").surface, Surface::control_plane) << path;
  }
  EXPECT_EQ(parsed("/foundation-modelsx", "GET").surface, Surface::runtime);
  EXPECT_EQ(parsed("/x/guardrails", "GET").surface, Surface::runtime);
}

TEST(ParseTarget, RemovesTheBasePathAndOneSlashTooManyBehindIt) {
  EXPECT_EQ(parsed("/bedrock/model/a.b/converse", "POST", "/bedrock").forwarded,
            "/model/a.b/converse");
  EXPECT_EQ(parsed("/bedrock//model/a.b/converse", "POST", "/bedrock").forwarded,
            "/model/a.b/converse");
  EXPECT_EQ(parsed("//model/a.b/converse").forwarded, "/model/a.b/converse");
  EXPECT_TRUE(refused("/bedrock///model/a.b/converse", "/bedrock"));
  EXPECT_TRUE(refused("///model/a.b/converse"));
  EXPECT_TRUE(refused("/bedrockmodel/a.b/converse", "/bedrock"));
  EXPECT_TRUE(refused("/model/a.b/converse", "/bedrock"));
  EXPECT_TRUE(refused("/bedrock", "/bedrock"));
  EXPECT_TRUE(refused("/bedrock?x", "/bedrock"));
}

TEST(ParseTarget, RefusesWhatTwoReadersCouldReadInTwoWays) {
  using namespace std::string_literals;
  const std::vector<std::string> hostile{
      "",
      "*",
      "model/a/converse",
      "http://evil.example/model/a/converse",
      "evil.example:443",
      "/model/a b/converse",
      "/model/a\tb/converse",
      "/model/a\x80/converse",
      "/model/a\x7f/converse",
      "/model/a\0b/converse"s,
      "/model/a\r\nHost: evil/converse",
      "/model/a/converse#fragment",
      "/model/a/converse?x#fragment",
      "/model\\a/converse",
      "/model/a%5Cb/converse",
      "/model/./converse",
      "/model/../converse",
      "/model/a/..",
      "/model/a/.?x",
      "/model/%2e%2E/converse",
      "/model/.%2e/converse",
      "/model/a%2F../converse",
      "/model/a%2F..%2Fb/converse",
      "/model/..;/converse",
      "/model/..%3Bx/converse",
      "/..",
      "/model//converse",
      "/model/a//converse",
      "/model/a/converse//",
      "/model/a%/converse",
      "/model/a%4/converse",
      "/model/a%4",
      "/model/a%zz/converse",
      "/model/a/converse?x=%g0",
      "/model/a%00/converse",
      "/async-invoke/%00",
      "/model/a%2500/converse",
      "/model/a%253A0/converse",
      "/model/arn%3Aaws%252Fx/converse",
      "/model/a%0d%0aHost:x/converse",
      "/model/a%20b/converse",
      "/model/a%7f/converse",
      "/model/a%c3%a9/converse",
      "/model/" + std::string(2049, 'a') + "/converse",
      "/model/" + std::string(9000, 'a') + "/converse",
  };
  for (const std::string& target : hostile) EXPECT_TRUE(refused(target)) << target;
}

TEST(ParseTarget, TakesTheLongestModelIdThatTheServiceTakes) {
  EXPECT_EQ(parsed("/model/" + std::string(2048, 'a') + "/converse").model_id.size(), 2048U);
}

TEST(ParseTarget, AnswersAnyBytesWithATargetInsideTheInputOrAProblem) {
  std::mt19937 random(20260101);
  const std::string alphabet = "/model.%2F5c3A;?#\\aconverse:\x01\x80";
  for (int round = 0; round < 200'000; ++round) {
    std::string target = round % 2 == 0 ? "/model/" : "/";
    for (std::size_t length = random() % 24; length > 0; --length) {
      target += round % 5 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
    }
    auto result = parse_target("POST", target, "");
    const auto* good = std::get_if<RequestTarget>(&result);
    if (good == nullptr) continue;
    ASSERT_GE(good->forwarded.data(), target.data());
    ASSERT_EQ(good->forwarded.data() + good->forwarded.size(), target.data() + target.size());
    ASSERT_LE(good->model_id.size(), good->raw_model.size());
    ASSERT_EQ(good->model_id.find('%'), std::string::npos) << target;
  }
}

TEST(Operations, HaveANameAndALabelEach) {
  for (const Operation operation : kOperations) EXPECT_FALSE(label(operation).empty());
  EXPECT_EQ(label(Operation::invoke_model_with_response_stream),
            "invoke_model_with_response_stream");
  EXPECT_EQ(operation_from_name("ConverseStream"), Operation::converse_stream);
  EXPECT_EQ(operation_from_name("InvokeModel"), Operation::invoke_model);
  EXPECT_EQ(operation_from_name("converse"), std::nullopt);
  EXPECT_EQ(operation_from_name("other"), std::nullopt);
  EXPECT_TRUE(is_understood(Operation::count_tokens));
  EXPECT_FALSE(is_understood(Operation::other));
  EXPECT_FALSE(is_understood(Operation::invoke_model_with_bidirectional_stream));
  EXPECT_TRUE(only_counts_tokens(Operation::messages_count_tokens));
  EXPECT_FALSE(only_counts_tokens(Operation::messages));
}

TEST(SecondWire, IsKnownByItsWholePath) {
  const struct {
    const char* path;
    Operation operation;
    Wire wire;
  } rows[] = {
      {"/anthropic/v1/messages", Operation::messages, Wire::anthropic},
      {"/anthropic/v1/messages/count_tokens", Operation::messages_count_tokens, Wire::anthropic},
      {"/anthropic/v1/messages/batches", Operation::other, Wire::anthropic},
      {"/openai/v1/chat/completions", Operation::chat_completions, Wire::openai},
      {"/v1/chat/completions", Operation::chat_completions, Wire::openai},
      {"/v1/chat/completions?beta=true", Operation::chat_completions, Wire::openai},
      {"/openai/v1/responses", Operation::responses, Wire::openai},
      {"/v1/responses", Operation::responses, Wire::openai},
      {"/v1/responses/resp_1", Operation::other, Wire::openai},
      {"/v1/responses/", Operation::other, Wire::openai},
      {"/v1/messages", Operation::other, Wire::openai},
      {"/v2/chat/completions", Operation::other, Wire::bedrock},
      {"/model/messages/converse", Operation::converse, Wire::bedrock},
      // The model's operation stands in the path, so an id cannot pretend to be of another API.
      {"/model/v1/messages", Operation::other, Wire::bedrock},
  };
  for (const auto& row : rows) {
    const RequestTarget target = parsed(row.path);
    EXPECT_EQ(target.operation, row.operation) << row.path;
    EXPECT_EQ(target.wire, row.wire) << row.path;
    EXPECT_EQ(target.surface, Surface::runtime) << row.path;
    EXPECT_EQ(wire_of("/base" + std::string(row.path), "/base"), row.wire) << row.path;
  }
  EXPECT_EQ(parsed("/v1/chat/completions?beta=true").path, "/v1/chat/completions");
  EXPECT_EQ(parsed("/v1/models", "GET").operation, Operation::other);
  EXPECT_EQ(parsed("/v1/chat/completions", "GET").operation, Operation::other);
  EXPECT_EQ(parsed("/bedrock//v1/responses", "POST", "/bedrock").operation, Operation::responses);
  for (const Operation operation : {Operation::messages, Operation::messages_count_tokens,
                                    Operation::chat_completions, Operation::responses}) {
    EXPECT_TRUE(names_model_in_body(operation));
    EXPECT_TRUE(is_understood(operation));
  }
  EXPECT_FALSE(names_model_in_body(Operation::converse));
}

}  // namespace
}  // namespace understudy::routing
