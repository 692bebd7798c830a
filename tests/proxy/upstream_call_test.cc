#include "proxy/upstream_call.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

class UpstreamCallTest : public testing::Test {
 protected:
  // Owned by the coroutine, as a request's call is.
  Task<void> send() {
    auto call = std::make_unique<UpstreamCall>(pool_,
                                               CallLimits{.connect = 5s,
                                                          .first_byte = 5s,
                                                          .idle = 5s,
                                                          .max_head_bytes = 65'536,
                                                          .max_chunk_overhead_bytes = 65'536},
                                               head_);
    call_ = call.get();
    std::string head = "GET / HTTP/1.1\r\n\r\n";
    outcome_ = co_await call->send(head, "");
  }

  // Up to where it waits for its turn.
  void begin() {
    spawn(io_, send(), [](std::exception_ptr) {});
    while (call_ == nullptr) io_.poll_one();
  }
  void run_until_sent() {
    for (int turns = 0; !outcome_ && turns < 1000; ++turns) io_.run_one_for(100ms);
  }
  void expect_cancelled(const std::string& why) {
    ASSERT_TRUE(outcome_);
    ASSERT_FALSE(*outcome_);
    EXPECT_EQ(outcome_->error().kind, ErrorKind::cancelled);
    EXPECT_EQ(outcome_->error().context, why);
  }

  asio::io_context io_;
  DeadlineSweep sweep_{io_};
  Resolver resolver_{io_};
  metrics::BlockPool blocks_;
  ThreadResources resources_{io_, sweep_, resolver_, blocks_};
  std::shared_ptr<UpstreamPool> pool_ = std::make_shared<UpstreamPool>(
      resources_, routing::Endpoint{.tls = false, .host = "localhost", .port = 9, .path = ""},
      nullptr,
      UpstreamPool::Settings{
          .addresses = {.refresh = 1h, .keep = 1h}, .max_idle = 4, .idle_timeout = 30s});
  ResponseHead head_;
  UpstreamCall* call_ = nullptr;
  std::optional<Status> outcome_;
};

// The wait ends where it is interrupted, and with it the call: nothing of it may be touched then
// (the address sanitizer looks).
TEST_F(UpstreamCallTest, MayEndWithItsInterruptWhileItsNameIsLookedUp) {
  begin();
  io_.poll_one();  // its turn to send
  ASSERT_FALSE(outcome_) << "the name is being looked up";
  call_->interrupt();
  run_until_sent();
  expect_cancelled("stopped while connecting");
}

TEST_F(UpstreamCallTest, AsksForNoConnectionWhereItIsInterruptedBeforeItsTurn) {
  begin();
  call_->interrupt();
  ASSERT_FALSE(outcome_) << "it waits for its turn";
  run_until_sent();
  expect_cancelled("stopped before sending");
}

}  // namespace
}  // namespace understudy::proxy
