// SIGTERM as an orchestrator sends it, to a process that is in the middle of something.

#include <gtest/gtest.h>

#include <signal.h>

#include <optional>
#include <string>

#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/serve_process.h"

namespace understudy::testing_support {
namespace {

using nlohmann::json;

class Shutdown : public testing::Test {
 protected:
  // `drain` are keys of that section.
  void start(FakeBedrock::Script primary, const std::string& drain) {
    primary_.emplace(std::move(primary));
    const ProxySetup setup{.primary_port = primary_->port(), .top = "drain: {" + drain + "}\n"};
    process_.emplace(directory_.write("config.yaml", setup.text()));
    const json listening = process_->wait_for_event("listening");
    ASSERT_FALSE(listening.is_null());
    port_ = port_of(listening["addresses"]);
  }

  const ScratchDirectory directory_;
  Gate gate_;
  std::optional<FakeBedrock> primary_;
  std::optional<ServeProcess> process_;
  std::uint16_t port_ = 0;
};

constexpr const char* kStreamHead =
    "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n"
    "transfer-encoding: chunked\r\n\r\n";

TEST_F(Shutdown, LetsTheStreamsUnderWayEndWholeAndEndsWell) {
  start(
      [this](const FakeRequest& request, FakePeer& peer) {
        const bool streams = request.target().ends_with("-stream");
        if (streams) peer.send(kStreamHead + as_chunk("first half, "));
        gate_.wait();
        peer.send(streams ? as_chunk("second half") + "0\r\n\r\n" : answer("whole"));
      },
      "lame_duck: 0s, timeout: 10m");
  RawClient stream(port_), waiting(port_), idle(port_);
  H2Client by_http2(port_);
  const std::string target = "/model/anthropic.claude-a/converse-stream";
  stream.send(post(target, converse_body("hi")));
  by_http2.send(h2::post(1, target, converse_body("hi")));
  waiting.send(converse("hi"));
  ASSERT_TRUE(stream.receive_until("first half, "));
  EXPECT_EQ(by_http2.receive_bytes(1, 12).body, "first half, ");
  ASSERT_TRUE(primary_->wait_for_requests(3));

  process_->signal(SIGTERM);
  ASSERT_FALSE(process_->wait_for_event("draining").is_null());
  EXPECT_TRUE(idle.at_end()) << "who has no request is asked to leave";
  gate_.open();
  const Answer streamed = stream.receive();
  EXPECT_EQ(streamed.status, 200);
  EXPECT_EQ(streamed.end, Answer::End::complete);
  EXPECT_EQ(streamed.body, "first half, second half");
  EXPECT_TRUE(stream.at_end());
  EXPECT_EQ(waiting.receive().body, "whole");
  EXPECT_TRUE(by_http2.receive(1).whole());
  EXPECT_EQ(by_http2.answer(1).body, "first half, second half");
  by_http2.close();

  const json stopped = process_->wait_for_event("stopped");
  ASSERT_FALSE(stopped.is_null());
  EXPECT_EQ(stopped["all_finished"], true);
  EXPECT_EQ(process_->wait_for_end(), 0);
}

TEST_F(Shutdown, CutsWhatDoesNotEndInItsTimeSoThatItsClientSeesACut) {
  start(
      [](const FakeRequest&, FakePeer& peer) {
        peer.send(kStreamHead + as_chunk("first half, "));
        peer.hang();
      },
      "lame_duck: 0s, timeout: 100ms");
  RawClient stream(port_);
  stream.send(post("/model/anthropic.claude-a/converse-stream", converse_body("hi")));
  ASSERT_TRUE(stream.receive_until("first half, "));
  process_->signal(SIGTERM);
  const json stopped = process_->wait_for_event("stopped");
  ASSERT_FALSE(stopped.is_null());
  EXPECT_EQ(stopped["all_finished"], false);
  const Answer cut = stream.receive();
  EXPECT_TRUE(cut.end == Answer::End::truncated || cut.end == Answer::End::reset);
  EXPECT_EQ(process_->wait_for_end(), 0);
}

}  // namespace
}  // namespace understudy::testing_support
