// The simulator over real sockets: connections, faults, its log, changes at run time and its start.

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/simulator/simulator.h"
#include "tests/simulator_test/simulator_fixture.h"

namespace understudy::simulator {
namespace {

using nlohmann::json;

TEST_F(SimulatorTest, KeepsConnectionsAndAnswersExpectContinue) {
  HttpClient client{bedrock_->port()};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.request("POST", path("amazon.nova", "converse"), kConverse).status, 200u);
    EXPECT_TRUE(client.request("POST", path("amazon.nova", "converse-stream"), kConverse).complete);
  }
  EXPECT_EQ(bedrock_->counts().connections, 1u);
  client.send(
      "POST /model/understudy.echo/invoke HTTP/1.1\r\nHost: a\r\nExpect: "
      "100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read_bytes(25), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_EQ(client.read().body, "ok");
  EXPECT_EQ(
      client.request("POST", path("amazon.nova", "converse"), kConverse, "Connection: close\r\n")
          .header("connection"),
      "close");
  EXPECT_EQ(client.read_bytes(1), "") << "closed as announced";
}

TEST_F(SimulatorTest, RefusesWhatIsNoHttp) {
  HttpClient client{bedrock_->port()};
  client.send("what is this\r\n\r\n");
  EXPECT_EQ(client.read().status, 400u);
}

TEST_F(SimulatorTest, FaultsSpoilAnswersAsNamed) {
  const auto with = [&](const std::string& fault, const std::string& operation) {
    return ask("amazon.nova", operation, kConverse, "x-sim-fault: " + fault + "\r\n");
  };
  EXPECT_EQ(with("reset", "converse").head, "");
  EXPECT_EQ(with("garbage_head", "converse").status, 0u);
  EXPECT_EQ(with("close_after_head", "converse").body, "");
  EXPECT_FALSE(with("close_after_head", "converse").complete);
  EXPECT_FALSE(with("truncate_midstream", "converse").complete);
  EXPECT_FALSE(split_frames(with("garbage", "converse-stream").body));
  EXPECT_FALSE(json::accept(with("garbage", "converse").body));
  EXPECT_TRUE(with("slow_headers:1", "converse").complete);

  const HttpReply cut = with("truncate_midstream:3", "converse-stream");
  EXPECT_FALSE(cut.complete);
  EXPECT_EQ(split_frames(cut.body)->size(), 3u);

  const HttpReply failed =
      with("exception_midstream:modelStreamErrorException:2", "converse-stream");
  EXPECT_TRUE(failed.complete);
  const auto frames = split_frames(failed.body);
  ASSERT_EQ(frames->size(), 3u);
  EXPECT_EQ(frames->back().message, "exception");
  EXPECT_EQ(frames->back().type, "modelStreamErrorException");
  EXPECT_EQ(json::parse(frames->back().payload)["originalStatusCode"], 500);

  const std::string good = ask("amazon.nova", "converse-stream").body;
  const std::string bad = with("bad_crc:0", "converse-stream").body;
  ASSERT_EQ(good.size(), bad.size());
  std::size_t differing = 0;
  for (std::size_t i = 0; i < good.size(); ++i) differing += good[i] != bad[i] ? 1 : 0;
  EXPECT_EQ(differing, 1u);

  HttpClient client{bedrock_->port()};
  EXPECT_TRUE(client
                  .request("POST", path("amazon.nova", "converse"), kConverse,
                           "x-sim-fault: close_after_reply\r\n")
                  .complete);
  EXPECT_EQ(client.read_bytes(1), "");
}

TEST_F(SimulatorTest, HugeAnswersDoNotEnd) {
  for (const char* operation : {"converse", "converse-stream"}) {
    HttpClient client{bedrock_->port()};
    client.send("POST " + path("amazon.nova", operation) +
                " HTTP/1.1\r\nHost: a\r\nx-sim-fault: huge\r\nContent-Length: " +
                std::to_string(std::string_view{kConverse}.size()) + "\r\n\r\n" + kConverse);
    EXPECT_EQ(client.read_bytes(20'000'000).size(), 20'000'000u);
  }
}

TEST_F(SimulatorTest, HungRequestsEndWhenTheClientLeaves) {
  ASSERT_TRUE(bedrock_->set_fault("amazon.nova", "hang"));
  HttpClient client{bedrock_->port()};
  client.send("POST " + path("amazon.nova", "converse") +
              " HTTP/1.1\r\nHost: a\r\nContent-Length: " +
              std::to_string(std::string_view{kConverse}.size()) + "\r\n\r\n" + kConverse);
  ASSERT_TRUE(bedrock_->wait_for_requests(1));
  EXPECT_TRUE(bedrock_->wait_until([](const Counts& counts) { return counts.in_flight == 1; }));
  client.close();
  EXPECT_TRUE(bedrock_->wait_until([](const Counts& counts) { return counts.abandoned == 1; }));
  EXPECT_EQ(bedrock_->counts().in_flight, 0u);
  ASSERT_TRUE(bedrock_->set_fault("amazon.nova", "none"));
  EXPECT_EQ(ask("amazon.nova", "converse").status, 200u);
}

TEST_F(SimulatorTest, LatencyIsKeptAndReported) {
  const auto began = std::chrono::steady_clock::now();
  const HttpReply reply = ask("anthropic.slow", "converse");
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds{60});
  EXPECT_EQ(json::parse(reply.body)["metrics"]["latencyMs"], 60);
}

TEST_F(SimulatorTest, LogTellsWhatCameIn) {
  ask("amazon.nova", "converse", kConverse, "amz-sdk-invocation-id: one\r\n");
  ask("meta.llama", "invoke", R"({"prompt":"Hi"})", "x-sim-status: 429\r\n");
  const Counts counts = bedrock_->counts();
  EXPECT_EQ(counts.requests, 2u);
  EXPECT_EQ(counts.by_model.at("meta.llama"), 1u);
  EXPECT_EQ(counts.by_operation.at("Converse"), 1u);
  EXPECT_EQ(counts.by_status.at(429), 1u);
  const auto requests = bedrock_->requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].target, "/model/amazon.nova/converse");
  EXPECT_EQ(requests[0].headers[1].second, "one");
  EXPECT_EQ(requests[0].body, kConverse);
  EXPECT_EQ(requests[0].auth, "not checked");
  EXPECT_EQ(bedrock_->requests(1).size(), 1u);

  const json over_http =
      json::parse(get(bedrock_->port(), "/_simulator/requests?after=1").body)["requests"];
  ASSERT_EQ(over_http.size(), 1u);
  EXPECT_EQ(over_http[0]["sequence"], 2);
  EXPECT_EQ(over_http[0]["body_sha256"], requests[1].body_sha256);
  EXPECT_EQ(json::parse(get(bedrock_->port(), "/_simulator/counts").body)["requests"], 2)
      << "its own calls do not count";
}

TEST_F(SimulatorTest, ModelsChangeOverHttp) {
  EXPECT_EQ(post(bedrock_->port(), "/_simulator/models/amazon.nova", R"({"throttle_percent":100})")
                .status,
            200u);
  EXPECT_EQ(ask("amazon.nova", "converse").status, 429u);
  EXPECT_EQ(post(bedrock_->port(), "/_simulator/models/amazon.nova",
                 R"({"throttle_percent":0,"fault":"reset"})")
                .status,
            200u);
  EXPECT_EQ(ask("amazon.nova", "converse").status, 0u);
  EXPECT_EQ(
      post(bedrock_->port(), "/_simulator/models/amazon.nova", R"({"fault":"none","colour":1})")
          .status,
      400u);
  EXPECT_EQ(ask("amazon.nova", "converse").status, 0u) << "a refused change changes nothing";
  EXPECT_EQ(post(bedrock_->port(), "/_simulator/models/nobody", "{}").status, 400u);
}

TEST(SimulatorStart, SaysWhatIsWrong) {
  EXPECT_THROW(Simulator::start("models: 7"), std::invalid_argument);
  const auto first = Simulator::start("models: [{id: a}]");
  Config config;
  config.port = first->port();
  config.models.emplace_back().ids = {"a"};
  EXPECT_THROW(Simulator::start(config), std::runtime_error);
}

TEST(SimulatorAuth, RefusesAndLogsBadCredentials) {
  const auto bedrock = Simulator::start(
      "{auth: {mode: any, bearer_tokens: [bedrock-api-key-good]}, models: [{id: a.b}]}");
  const auto ask = [&](const char* headers) {
    return post(bedrock->port(), path("a.b", "converse"), kConverse, headers);
  };
  EXPECT_EQ(ask("").header("x-amzn-errortype"),
            "MissingAuthenticationTokenException:http://internal.amazon.com/coral/"
            "com.amazon.coral.service/");
  EXPECT_EQ(ask("Authorization: Bearer bedrock-api-key-good\r\n").status, 200u);
  EXPECT_EQ(ask("Authorization: Bearer bedrock-api-key-bad\r\n").body,
            R"({"Message":"Authentication failed: Please make sure your API Key is valid."})");
  EXPECT_EQ(bedrock->requests()[1].auth, "ok");
  EXPECT_EQ(bedrock->requests()[2].auth, "AccessDeniedException");
  EXPECT_EQ(bedrock->counts().auth_failures, 2u);
}

}  // namespace
}  // namespace understudy::simulator
