// A change of the config loses no request and is in force at once; an end loses none either.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "proxy/reload.h"
#include "routing/config_loader.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using namespace std::chrono_literals;

// Clients that ask one request after the other until told to stop.
class Load {
 public:
  Load(std::uint16_t port, int clients) {
    for (int i = 0; i < clients; ++i) {
      threads_.emplace_back([this, port] {
        RawClient client(port);
        for (int turn = 0; !stopping_; ++turn) {
          const Answer got = client.ask(converse("question " + std::to_string(turn)));
          got.status == 200 && got.end == Answer::End::complete ? ++answered_ : ++failed_;
          if (got.end != Answer::End::complete) return;
        }
      });
    }
  }
  ~Load() { stop(); }
  void stop() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  std::uint64_t answered() const { return answered_; }
  std::uint64_t failed() const { return failed_; }

 private:
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> answered_{0}, failed_{0};
  std::vector<std::thread> threads_;
};

// "test.yaml:LINE:" of that byte, lines counted from 1.
std::string place_of(std::size_t at, const std::string& text) {
  const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  return "test.yaml:" + std::to_string(lines + 1) + ":";
}

TEST(Reload, AThousandUnderLoadGoodAndBadMixedLoseNoRequest) {
  auto primary = FakeBedrock::replies(converse_answer("primary"));
  auto candidate = FakeBedrock::replies(converse_answer("candidate"));
  ProxySetup setup{.primary_port = primary->port(), .candidate_port = candidate->port()};
  ProxyUnderTest proxy(setup);
  std::string text = setup.text();
  proxy::Reloader reloader(
      {.load = [&] { return routing::load_config_text(text, "test.yaml"); },
       .build =
           [&](std::shared_ptr<const routing::Config> config) {
             return proxy::make_snapshot(
                 std::move(config), proxy.recorder(), proxy.keeper(),
                 [](std::string_view) { return std::optional<std::string>(); });
           },
       .in_force = [&] { return proxy.server().snapshot(); },
       .apply = [&](auto snapshot) { return proxy.server().apply(std::move(snapshot)); }},
      proxy.recorder());

  Load load(proxy.port(), 2);
  ASSERT_TRUE(eventually([&] { return load.answered() > 10; }));
  for (int i = 0; i < 1000; ++i) {
    setup.shadow = "percent: " + std::to_string(i % 100);
    setup.canary = "percent: " + std::to_string(i * 7 % 100);
    text = setup.text();
    const bool bad = i % 3 == 1;
    const std::size_t key = text.find("percent: ");
    if (bad) text.replace(key, 9, "percent: 1000");
    const auto outcome = reloader.reload(proxy::ReloadSource::request);
    ASSERT_EQ(outcome.result, bad ? metrics::ReloadResult::refused : metrics::ReloadResult::applied)
        << testing::PrintToString(outcome.problems);
    if (bad) {
      ASSERT_FALSE(outcome.problems.empty());
      EXPECT_TRUE(outcome.problems[0].starts_with(place_of(key, text))) << outcome.problems[0];
      EXPECT_NE(outcome.problems[0].find("shadow.percent"), std::string::npos);
    }
  }
  load.stop();
  EXPECT_EQ(load.failed(), 0U);
  EXPECT_TRUE(proxy.books_balance(load.answered()));
}

TEST(Reload, ARollbackIsInForceForWhatBeginsAfterIt) {
  auto primary = FakeBedrock::replies(converse_answer("primary"));
  auto candidate = FakeBedrock::replies(converse_answer("candidate"));
  ProxySetup on{.primary_port = primary->port(),
                .candidate_port = candidate->port(),
                .shadow = "percent: 100",
                .canary = "percent: 100"};
  ProxySetup off = on;
  off.shadow = off.canary = "percent: 0";
  ProxyUnderTest proxy(on);
  // Connections of both threads that were there before.
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(std::make_unique<RawClient>(proxy.port()));
  std::uint64_t eligible = 0;
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(proxy.apply(on));
    for (auto& client : clients) {
      EXPECT_EQ(client->ask(converse("hi")).field("x-understudy-variant"), "candidate");
      ++eligible;
    }
    ASSERT_TRUE(proxy.books_balance(eligible));
    const auto before = proxy.counts();
    ASSERT_TRUE(proxy.apply(off));
    for (auto& client : clients) {
      EXPECT_EQ(client->ask(converse("hi")).field("x-understudy-variant"), "primary");
      ++eligible;
    }
    ASSERT_TRUE(proxy.books_balance(eligible));
    EXPECT_EQ(proxy.counts().compared, before.compared) << "no copy began after the rollback";
  }
}

TEST(Reload, AnExchangeEndsUnderTheConfigThatItBeganWith) {
  Gate gate;
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    gate.wait();
    peer.send(answer(converse_answer("old primary")));
  });
  auto other = FakeBedrock::replies(converse_answer("new primary"));
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  client.send(converse("hi"));
  ASSERT_TRUE(primary.wait_for_requests(1));
  ASSERT_TRUE(proxy.apply(ProxySetup{.primary_port = other->port()}));
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).body, converse_answer("new primary"));
  gate.open();
  EXPECT_EQ(client.receive().body, converse_answer("old primary"));
  EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("new primary"));
  EXPECT_TRUE(primary.wait_for_open_connections(0)) << "what nobody uses any more is closed";
}

TEST(Reload, WhatCannotChangeWhileRunningIsRefused) {
  auto primary = FakeBedrock::replies("{}");
  const ProxySetup setup{.primary_port = primary->port()};
  ProxyUnderTest proxy(setup);
  std::string other = setup.text();
  other.replace(other.find("threads: {io: 2}"), 16, "threads: {io: 3}");
  EXPECT_FALSE(proxy.apply(other));
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).status, 200);
}

// --- Listeners

std::string with_listeners(const ProxySetup& setup, const std::string& listeners) {
  std::string text = setup.text();
  const std::size_t end = text.find('\n');
  return text.replace(0, end, "listeners: [" + listeners + "]");
}

TEST(ReloadOfListeners, OneComesAndGoesWhileTheOtherLosesNothing) {
  auto primary = FakeBedrock::replies(converse_answer("primary"));
  const ProxySetup setup{.primary_port = primary->port()};
  ProxyUnderTest proxy(setup);
  const std::uint16_t first = proxy.port();
  Load load(first, 3);
  ASSERT_TRUE(eventually([&] { return load.answered() > 10; }));
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(proxy.apply(with_listeners(
        setup, "{address: 127.0.0.1:0}, {address: \"127.0.0.2:0\", base_path: /second}")));
    const auto ports = proxy.server().ports();
    ASSERT_EQ(ports.size(), 2u);
    EXPECT_EQ(ports[0], first) << "the same socket goes on";
    ASSERT_TRUE(proxy.apply(setup));
    EXPECT_EQ(proxy.server().ports(), std::vector{first});
  }
  load.stop();
  EXPECT_EQ(load.failed(), 0U);
}

TEST(ReloadOfListeners, WhatGoesEndsItsConnectionsAndWhatComesIsServedAtOnce) {
  auto primary = FakeBedrock::replies(converse_answer("primary"));
  const ProxySetup setup{.primary_port = primary->port()};
  ProxyUnderTest proxy(setup);
  const std::uint16_t first = proxy.port();
  RawClient idle(first);
  EXPECT_EQ(idle.ask(converse("hi")).status, 200);
  // Another address, so another socket: both stand open for a moment.
  const std::uint16_t second = refusing_port();
  const std::string moved =
      with_listeners(setup, "{address: \"127.0.0.1:" + std::to_string(second) + "\"}");
  ASSERT_TRUE(proxy.apply(moved));
  EXPECT_TRUE(idle.at_end());
  EXPECT_EQ(RawClient(second).ask(converse("hi")).status, 200);
  EXPECT_THROW(RawClient(first).ask(converse("hi")), std::exception);
}

TEST(ReloadOfListeners, WhatOneSaysChangesForNewConnectionsAndEndsTheOldOnes) {
  auto primary = FakeBedrock::replies(converse_answer("primary"));
  ProxySetup setup{.primary_port = primary->port()};
  ProxyUnderTest proxy(setup);
  RawClient before(proxy.port());
  EXPECT_EQ(before.ask(converse("hi")).status, 200);
  setup.listener_more = ", hosts: [other.test]";
  ASSERT_TRUE(proxy.apply(setup));
  EXPECT_TRUE(before.at_end()) << "it came in where any host was good";
  EXPECT_NE(RawClient(proxy.port()).ask(converse("hi")).status, 200);
  setup.listener_more = "";
  ASSERT_TRUE(proxy.apply(setup));
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).status, 200);
}

TEST(ReloadOfListeners, AnAddressThatIsTakenRefusesTheWhole) {
  auto primary = FakeBedrock::replies(converse_answer("primary"));
  const ProxySetup setup{.primary_port = primary->port()};
  ProxyUnderTest proxy(setup);
  const auto other = FakeBedrock::replies("{}");  // holds its port without SO_REUSEPORT
  const auto applied = proxy.apply(with_listeners(
      setup,
      "{address: 127.0.0.1:0}, {address: \"127.0.0.1:" + std::to_string(other->port()) + "\"}"));
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().context.find("listen on 127.0.0.1:"), std::string::npos);
  EXPECT_EQ(proxy.server().ports().size(), 1u);
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).status, 200);
}

// --- Drain
// ----------------------------------------------------------------------------------------------------------

TEST(Drain, FinishesWhatIsUnderWay) {
  Gate gate;
  FakeBedrock primary([&](const FakeRequest& request, FakePeer& peer) {
    const bool streams = request.target().ends_with("converse-stream");
    if (streams)
      peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + as_chunk("first"));
    gate.wait();
    peer.send(streams ? as_chunk("second") + "0\r\n\r\n" : answer("whole"));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient idle(proxy.port()), unary(proxy.port()), stream(proxy.port());
  unary.send(converse("hi"));
  stream.send(post("/model/m/converse-stream", "{}"));
  ASSERT_TRUE(primary.wait_for_requests(2));
  ASSERT_TRUE(stream.receive_until("first"));

  std::atomic<bool> finished_all = false;
  std::thread drain([&] { finished_all = proxy.server().drain(60s); });
  EXPECT_TRUE(idle.at_end()) << "a connection without a request is closed";
  gate.open();
  EXPECT_EQ(unary.receive().body, "whole");
  EXPECT_TRUE(unary.at_end());
  const Answer streamed = stream.receive();
  EXPECT_EQ(streamed.end, Answer::End::complete);
  EXPECT_EQ(streamed.body, "firstsecond");
  drain.join();
  EXPECT_TRUE(finished_all);
  EXPECT_ANY_THROW(RawClient{proxy.port()}) << "nobody is let in any more";
}

TEST(Drain, FinishesARequestWhoseBodyIsStillComing) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient idle(proxy.port()), client(proxy.port());
  client.send(
      "POST /model/m/invoke HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
      "content-length: 8\r\n\r\n");
  ASSERT_TRUE(client.receive_until("100 Continue\r\n\r\n")) << "its head has been read";
  std::atomic<bool> finished_all = false;
  std::thread drain([&] { finished_all = proxy.server().drain(60s); });
  EXPECT_TRUE(idle.at_end()) << "the drain has begun";
  client.send("some");
  client.send("more");
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(client.at_end());
  drain.join();
  EXPECT_TRUE(finished_all);
  EXPECT_EQ(primary->request(0).body, "somemore");
}

TEST(Drain, CutsWhatDoesNotEndInTime) {
  auto primary = FakeBedrock::never_replies();
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  client.send(converse("hi"));
  ASSERT_TRUE(primary->wait_for_requests(1));
  EXPECT_FALSE(proxy.server().drain(200ms));
}

}  // namespace
}  // namespace understudy::testing_support
