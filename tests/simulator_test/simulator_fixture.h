#pragma once
// A simulator with a model of each kind, and requests that any of them understands.

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tests/simulator/simulator.h"
#include "tests/simulator_test/http_client.h"

namespace understudy::simulator {

inline constexpr const char* kModels = R"(
deterministic: true
threads: 2
log: {bodies: true}
models:
  - {id: "anthropic.claude-a-v1:0", family: anthropic}
  - {id: anthropic.profile-only, family: anthropic, inference_profile_only: true}
  - {id: "anthropic.claude-sonnet-4-20250514-v1:0", family: anthropic, inference_profile_only: true}
  - {id: anthropic.newest, family: anthropic, reject_parameters: [temperature, top_k, thinking_enabled, prefill], max_output_tokens: 64000}
  - {id: amazon.nova, family: nova}
  - {id: meta.llama, family: llama}
  - {id: mistral.seven, family: mistral}
  - {id: amazon.titan, family: titan, reject_parameters: [temperature]}
  - {id: anthropic.ended, family: anthropic, lifecycle: end_of_life}
  - {id: anthropic.legacy, family: anthropic, lifecycle: legacy_inactive}
  - {id: anthropic.throttled, family: anthropic, errors: {throttle_percent: 100}}
  - {id: anthropic.slow, family: anthropic, latency: {first_token_ms: 60}}
  - {id: understudy.echo, family: echo}
)";

inline constexpr const char* kConverse =
    R"({"messages":[{"role":"user","content":[{"text":"Where is my order?"}]}]})";

inline std::string path(const std::string& model, const std::string& operation) {
  return "/model/" + model + "/" + operation;
}

class SimulatorTest : public ::testing::Test {
 protected:
  std::unique_ptr<Simulator> bedrock_ = Simulator::start(kModels);

  HttpReply ask(const std::string& model, const std::string& operation,
                std::string_view body = kConverse, std::string_view headers = "") {
    return post(bedrock_->port(), path(model, operation), body, headers);
  }
  std::string text_of(const std::string& model, std::string_view body = kConverse) {
    const HttpReply reply = ask(model, "converse", body);
    EXPECT_EQ(reply.status, 200u) << reply.body;
    return nlohmann::json::parse(reply.body)["output"]["message"]["content"][0].value("text", "");
  }
};

}  // namespace understudy::simulator
