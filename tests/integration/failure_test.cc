// What the client is told when the primary does not answer, breaks off or is too slow, and what the
// primary is told when the client leaves.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "tests/support/fake_bedrock.h"
#include "tests/support/process_sockets.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using testing::AnyOf;
using testing::StartsWith;

// Bedrock's shape: a JSON body with a message, the exception's name and an id in the head.
void expect_error(const Answer& got, int status, const std::string& type,
                  const std::string& cause) {
  EXPECT_EQ(got.status, status);
  EXPECT_EQ(got.end, Answer::End::complete);
  EXPECT_EQ(got.field("content-type"), "application/json");
  EXPECT_EQ(got.field("x-amzn-errortype"), type);
  EXPECT_EQ(got.field("x-understudy-error"), cause);
  EXPECT_FALSE(got.field("x-amzn-requestid").empty());
  const auto body = nlohmann::json::parse(got.body, nullptr, false);
  ASSERT_TRUE(body.is_object()) << got.body;
  EXPECT_FALSE(body.value("message", "").empty());
}

// --- Answers of our own
// ---------------------------------------------------------------------------------------------

TEST(Failure, TellsThatThePrimaryRefusesConnections) {
  ProxyUnderTest proxy(ProxySetup{.primary_port = refusing_port()});
  RawClient client(proxy.port());
  for (int turn = 0; turn < 2; ++turn)
    expect_error(client.ask(converse("hi")), 502, "ServiceUnavailableException", "connect");
}

TEST(Failure, TellsThatThePrimaryDoesNotAnswerInTime) {
  auto primary = FakeBedrock::never_replies();
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .primary_more = ", first_byte_timeout: 300ms"});
  RawClient client(proxy.port());
  expect_error(client.ask(converse("hi")), 504, "ServiceUnavailableException", "timeout");
  EXPECT_TRUE(primary->wait_for_open_connections(0));
}

TEST(Failure, TellsThatThePrimaryClosedWithoutAnAnswer) {
  FakeBedrock primary([](const FakeRequest&, FakePeer& peer) { peer.close(); });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  expect_error(client.ask(converse("hi")), 502, "ServiceUnavailableException", "closed");
  EXPECT_EQ(primary.count(), 1U) << "a request that may have been acted on is not repeated";
}

TEST(Failure, TellsThatThePrimarySendsNoHttp) {
  for (const std::string& garbage :
       {noise(100'000), std::string{"HTTP/2.0 200 OK\r\n\r\n"}, std::string{"\r\n\r\n"},
        std::string{"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na"},
        std::string{"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\na"},
        std::string{"HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 0\r\n\r\n"},
        std::string{"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n"}}) {
    FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
      peer.send(garbage);
      peer.close();
    });
    ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
    const Answer got = RawClient(proxy.port()).ask(converse("hi"));
    EXPECT_EQ(got.status, 502) << garbage.substr(0, 60);
    EXPECT_THAT(got.field("x-understudy-error"), AnyOf("bad_message", "too_large"));
  }
}

TEST(Failure, TellsThatThePrimarysHeadIsTooLarge) {
  auto primary =
      FakeBedrock::sends(answer("{}", "200 OK", "x: " + std::string(100'000, 'a') + "\r\n"));
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  expect_error(RawClient(proxy.port()).ask(converse("hi")), 502, "ServiceUnavailableException",
               "too_large");
}

TEST(Failure, TellsThatNoRouteMatches) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .match = "models: [\"other.*\"]"});
  RawClient client(proxy.port());
  for (int turn = 0; turn < 2; ++turn)
    expect_error(client.ask(converse("hi")), 404, "ResourceNotFoundException", "no_route");
  EXPECT_EQ(primary->connections(), 0U);
}

TEST(Failure, SendsWhatNoRouteMatchesToTheDefaultRoute) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port(),
                                  .match = "models: [\"other.*\"]",
                                  .top = "default_route: {upstream: primary}\n"});
  const Answer got = RawClient(proxy.port()).ask(converse("hi"));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.field("x-understudy-route"), "default");
}

TEST(Failure, RefusesWhatIsTooLarge) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port(),
                                  .top = "limits: {max_body_bytes: 1KiB, max_header_bytes: 2KiB, "
                                         "max_header_fields: 20, max_target_bytes: 256B}\n"});
  std::string many;
  for (int i = 0; i < 30; ++i) many += "x" + std::to_string(i) + ": 1\r\n";
  const std::string chunked =
      "POST /model/m/invoke HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
  const struct {
    std::string request;
    int status;
    const char* rule;
  } rows[] = {
      {post("/model/m/invoke", noise(1025)), 413, "max_body_bytes"},
      {chunked + as_chunk(noise(600)) + as_chunk(noise(600)), 413, "max_body_bytes"},
      {post("/model/m/invoke", "{}", "x: " + std::string(3000, 'a') + "\r\n"), 431,
       "max_header_bytes"},
      {"POST /" + std::string(5000, 'a'), 431, "max_header_bytes"},
      {post("/model/m/invoke", "{}", many), 431, "max_header_fields"},
      {post("/model/" + std::string(300, 'm') + "/invoke", "{}"), 414, "max_target_bytes"},
  };
  for (const auto& row : rows) {
    RawClient client(proxy.port());
    expect_error(client.ask(row.request), row.status, "ValidationException", row.rule);
    EXPECT_TRUE(client.at_end());
  }
  EXPECT_EQ(primary->connections(), 0U);
}

// A request whose body is too large, of which the body never comes.
constexpr const char* kTooLargeHead =
    "POST /model/m/invoke HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n";

TEST(Failure, WaitsForARefusedClientToReadWhyAndNoLonger) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(),
                 .top = "limits: {max_body_bytes: 1KiB, linger_timeout: 200ms}\n"});
  RawClient client(proxy.port());
  EXPECT_EQ(client.ask(kTooLargeHead).status, 413);
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "linger_timeout"}}, 1));
  EXPECT_TRUE(eventually([&] { return proxy.server().load().connections == 0; }));
}

TEST(Failure, TakesOnlySoMuchOfWhatARefusedClientGoesOnSending) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{
      .primary_port = primary->port(),
      .top = "limits: {max_body_bytes: 1KiB, linger_timeout: 1h, max_linger_bytes: 1MiB}\n"});
  RawClient client(proxy.port());
  client.send(kTooLargeHead);
  const std::string piece = noise(65'536);
  std::size_t sent = 0;
  while (sent < (256u << 20) && client.send(piece)) sent += piece.size();
  EXPECT_LT(sent, 256u << 20) << "the connection was ended";
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "max_linger_bytes"}}, 1));
}

TEST(Failure, RefusesABodyThatFindsNoRoomBesideThoseUnderWay) {
  Gate slow;
  FakeBedrock primary([&](const FakeRequest& request, FakePeer& peer) {
    if (request.body.size() > 1'000) slow.wait();
    peer.send(answer(std::to_string(request.body.size())));
  });
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary.port(),
                 .top = "limits: {max_body_bytes: 64KiB, max_buffered_body_bytes: 96KiB}\n"});
  const std::string large = post("/model/amazon.primary-v1%3A0/invoke", noise(65'536));
  RawClient first(proxy.port());
  first.send(large);
  ASSERT_TRUE(eventually([&] { return proxy.server().load().request_body_bytes == 65'536; }));
  const auto finds_no_room = [&](const std::string& request) {
    RawClient refused(proxy.port());
    expect_error(refused.ask(request), 503, "ServiceUnavailableException",
                 "max_buffered_body_bytes");
    EXPECT_TRUE(eventually([&] { return proxy.server().load().request_body_bytes == 65'536; }))
        << "what came of it is held no longer, though its client is there yet";
  };
  finds_no_room(large);
  finds_no_room(
      "POST /model/amazon.primary-v1%3A0/invoke HTTP/1.1\r\nhost: localhost\r\n"
      "transfer-encoding: chunked\r\n\r\n" +
      as_chunk(noise(65'536)) + "0\r\n\r\n");
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "max_buffered_body_bytes"}}, 2));
  RawClient small(proxy.port());
  EXPECT_EQ(small.ask(converse("hi")).status, 200) << "what is small finds room";
  slow.open();
  EXPECT_EQ(first.receive().body, "65536");
  EXPECT_TRUE(eventually([&] { return proxy.server().load().request_body_bytes == 0; }));
  RawClient third(proxy.port());
  EXPECT_EQ(third.ask(large).body, "65536");
}

TEST(Failure, AHeadThatIsTooLargeIsAnsweredAsItselfAndNotAsTheRequestBeforeIt) {
  const auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  ASSERT_EQ(client.ask(post("/anthropic/v1/messages", R"({"model":"a.b"})")).status, 200);
  const Answer got = client.ask(
      "POST /model/a.b/converse HTTP/1.1\r\nx: " + std::string(70'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(got.status, 431);
  EXPECT_THAT(got.body, testing::StartsWith(R"({"message":)"))
      << "Bedrock's shape, not Anthropic's";
}

// --- Truncation stays truncation
// ------------------------------------------------------------------------------------

struct Cut {
  const char* name;
  std::string sent;
  bool resets;

  friend void PrintTo(const Cut& cut, std::ostream* out) { *out << cut.name; }
};

class CutAnswers : public testing::TestWithParam<Cut> {};

TEST_P(CutAnswers, NeverEndCleanly) {
  const Cut& cut = GetParam();
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    peer.send(cut.sent);
    cut.resets ? peer.reset() : peer.close();
  });
  auto candidate = FakeBedrock::replies(converse_answer("a"));
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary.port(), .candidate_port = candidate->port()});
  for (int turn = 0; turn < 20; ++turn) {
    RawClient client(proxy.port());
    const Answer got = client.ask(converse("hi"));
    // Before anything went to the client an error is as truthful as a cut.
    EXPECT_TRUE(got.end != Answer::End::complete || got.status == 502) << got.status;
  }
  EXPECT_TRUE(proxy.books_balance(20));
  EXPECT_EQ(proxy.counts().skipped["primary_cut"], 20U);
  EXPECT_EQ(candidate->count(), 0U);
}

const std::string kChunkedHead = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const std::string kSizedHead = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Kinds, CutAnswers,
    testing::Values(Cut{"BetweenChunks", kChunkedHead + as_chunk("some"), false},
                    Cut{"InAChunk", kChunkedHead + "ff\r\nsome", false},
                    Cut{"InAChunkSize", kChunkedHead + as_chunk("some") + "f", false},
                    Cut{"BeforeTheLastLine", kChunkedHead + as_chunk("some") + "0\r\n", false},
                    Cut{"BeforeAnyChunk", kChunkedHead, false},
                    Cut{"InALength", kSizedHead + "some", false},
                    Cut{"BeforeAnyByte", kSizedHead, false},
                    Cut{"ByResetInAChunk", kChunkedHead + "ff\r\nsome", true},
                    Cut{"ByResetInALength", kSizedHead + "some", true},
                    Cut{"ByBadChunks", kChunkedHead + as_chunk("some") + "zz\r\n", false}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST(Failure, CutsWhatStallsForTooLong) {
  FakeBedrock primary([](const FakeRequest&, FakePeer& peer) {
    peer.send(kChunkedHead + as_chunk("some"));
    peer.hang();
  });
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary.port(), .primary_more = ", stream_idle_timeout: 300ms"});
  RawClient client(proxy.port());
  EXPECT_NE(client.ask(converse("hi")).end, Answer::End::complete);
  EXPECT_TRUE(primary.wait_for_open_connections(0));
}

// --- Stale connections
// ----------------------------------------------------------------------------------------------

TEST(Failure, ReplacesConnectionsThatTheUpstreamClosed) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  for (int turn = 0; turn < 300; ++turn) {
    ASSERT_EQ(client.ask(converse("hi")).status, 200) << "in turn " << turn;
    primary->close_idle_connections();
  }
  EXPECT_EQ(primary->count(), 300U);
}

// Ends each connection with its answer, in one segment: whoever has the answer has the end.
class EndsWithItsAnswer {
 public:
  EndsWithItsAnswer() : listener_(Socket::listen(port_)), thread_([this] { serve(); }) {}
  ~EndsWithItsAnswer() {
    listener_.shut_down();
    thread_.join();
  }
  std::uint16_t port() const { return port_; }
  std::size_t count() const { return count_; }

 private:
  void serve() {
    while (true) {
      Socket socket(::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
      if (socket.descriptor() < 0) return;
      socket.set_patience(kPatience);
      std::string request;
      while (!request.ends_with(converse_body("hi"))) {
        if (socket.read(request) != Socket::Read::data) break;
      }
      ++count_;
      const std::string reply = answer("{}");
      ::send(socket.descriptor(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_MORE);
      socket.end_writing();
      while (socket.read(request) == Socket::Read::data) {
      }
    }
  }

  std::uint16_t port_ = 0;  // stands before the listener, which tells it
  Socket listener_;
  std::atomic<std::size_t> count_{0};
  std::thread thread_;
};

TEST(Failure, UsesNoConnectionThatEndedWithItsAnswer) {
  EndsWithItsAnswer primary;
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  for (int turn = 0; turn < 1'000; ++turn)
    ASSERT_EQ(client.ask(converse("hi")).status, 200) << "in turn " << turn;
  EXPECT_EQ(primary.count(), 1'000U);
}

TEST(Failure, GoesOnWithAnUpstreamThatClosesAfterEachAnswer) {
  FakeBedrock primary([](const FakeRequest&, FakePeer& peer) {
    peer.send(answer("{}"));
    peer.close();
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  // The close is under way while the next request is: who meets it half-way is told so, for the
  // request has left and may have been acted on. Whoever asks again has a new connection.
  std::size_t answered = 0;
  bool met_the_close = true;  // there is no connection yet
  for (int turn = 0; turn < 300; ++turn) {
    const Answer got = client.ask(converse("hi"));
    if (got.status == 200) {
      ++answered;
      met_the_close = false;
      continue;
    }
    expect_error(got, 502, "ServiceUnavailableException", "closed");
    ASSERT_FALSE(std::exchange(met_the_close, true)) << "on a new connection, in turn " << turn;
  }
  EXPECT_EQ(primary.count(), answered) << "what was refused was not taken by a second connection";
}

TEST(Failure, DoesNotRepeatWhatAReusedConnectionSwallowed) {
  FakeBedrock primary([](const FakeRequest& request, FakePeer& peer) {
    request.body == converse_body("swallow") ? peer.close()
                                             : static_cast<void>(peer.send(answer("{}")));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  expect_error(client.ask(converse("swallow")), 502, "ServiceUnavailableException", "closed");
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  EXPECT_EQ(primary.count(), 3U);
  EXPECT_EQ(primary.request(1).connection, primary.request(0).connection);
  EXPECT_NE(primary.request(2).connection, primary.request(1).connection);
}

TEST(Failure, ReusesConnections) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  for (int turn = 0; turn < 50; ++turn) ASSERT_EQ(client.ask(converse("hi")).status, 200);
  EXPECT_EQ(primary->connections(), 1U);
}

// --- Clients that leave
// ---------------------------------------------------------------------------------------------

TEST(Failure, CancelsTheCallOfAClientThatLeft) {
  auto primary = FakeBedrock::never_replies();
  auto candidate = FakeBedrock::replies(converse_answer("a"));
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .candidate_port = candidate->port()});
  for (std::uint64_t turn = 1; turn <= 10; ++turn) {
    RawClient client(proxy.port());
    client.send(converse("hi"));
    ASSERT_TRUE(primary->wait_for_requests(turn));
    turn % 2 == 0 ? client.close() : client.reset();
    EXPECT_TRUE(primary->wait_for_open_connections(0));
  }
  EXPECT_TRUE(proxy.books_balance(10));
  EXPECT_EQ(proxy.counts().skipped["client_gone"], 10U);
  EXPECT_EQ(candidate->count(), 0U);
}

TEST(Failure, CancelsTheStreamOfAClientThatLeft) {
  FakeBedrock primary([](const FakeRequest&, FakePeer& peer) {
    peer.send(kChunkedHead);
    while (peer.send(as_chunk("and on and on"))) {
    }
  });
  auto candidate = FakeBedrock::replies(converse_answer("a"));
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary.port(), .candidate_port = candidate->port()});
  for (int turn = 0; turn < 10; ++turn) {
    RawClient client(proxy.port());
    client.send(post("/model/a.b/converse-stream", converse_body("hi")));
    ASSERT_TRUE(client.receive_until("and on"));
    client.close();
    EXPECT_TRUE(primary.wait_for_open_connections(0));
  }
  EXPECT_TRUE(proxy.books_balance(10));
  EXPECT_EQ(proxy.counts().skipped["client_gone"], 10U);
  EXPECT_EQ(candidate->count(), 0U);
}

TEST(Failure, AsksNobodyForARequestThatIsNotWhole) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  const std::string whole = converse("hello");
  for (const std::size_t size : {std::size_t{3}, whole.find("\r\n\r\n"), whole.size() - 1}) {
    RawClient client(proxy.port());
    client.send(std::string_view{whole}.substr(0, size));
    client.end_writing();
    EXPECT_TRUE(client.at_end());
  }
  EXPECT_EQ(primary->connections(), 0U);
  EXPECT_TRUE(eventually([&] { return proxy.server().load().connections == 0; }));
}

TEST(Failure, A10ClosesOnAClientThatSendsNoWholeHeadOrBodyInTime) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port(),
                                  .top =
                                      "limits: {header_timeout: 300ms, body_idle_timeout: 300ms, "
                                      "keep_alive_timeout: 600ms}\n"});
  const std::string whole = converse("hello");
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, whole.size() - 1}) {
    RawClient client(proxy.port());
    client.send(std::string_view{whole}.substr(0, size));
    EXPECT_TRUE(client.receive_until("never") || client.at_end());
  }
  EXPECT_EQ(primary->connections(), 0U);
}

TEST(Failure, A10ClosesOnAClientThatDripsItsBody) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .top = "limits: {body_rate_grace: 300ms}\n"});
  for (const std::string_view head :
       {"Content-Length: 9\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"}) {
    RawClient client(proxy.port());
    client.send("POST /model/m/converse HTTP/1.1\r\nHost: a\r\n" + std::string{head});
    EXPECT_TRUE(client.at_end());
  }
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "min_body_bytes_per_second"}}, 2));
  EXPECT_EQ(primary->connections(), 0U);
}

// --- Slow clients
// ---------------------------------------------------------------------------------------------------

// Of what the upstream sent, that which is neither in a buffer of the kernel nor with the client.
// Asked in the order in which bytes go, so that what moves meanwhile counts as not held.
std::int64_t held_by_the_proxy(std::int64_t sent, std::uint16_t upstream, std::uint16_t proxy,
                               const RawClient& client) {
  std::int64_t held = sent;
  held -= unsent_bytes(accepted_by(upstream));
  held -= unread_bytes(connected_to(upstream));
  held -= unsent_bytes(accepted_by(proxy));
  held -= unread_bytes(connected_to(proxy));
  return held - static_cast<std::int64_t>(client.received().size());
}

TEST(Failure, A10HoldsLittleForAClientThatReadsSlowly) {
  // Counts what the upstream sends while the client takes nothing.
  std::atomic<std::size_t> taken{0};
  const std::string piece = noise(16'384);
  constexpr std::size_t kPieces = 2'000;  // 32 MB
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(piece.size() * kPieces) +
              "\r\n\r\n");
    for (std::size_t i = 0; i < kPieces && peer.send(piece); ++i) taken += piece.size();
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port(), 4096);
  client.send(converse("hi"));
  ASSERT_TRUE(client.receive_until("\r\n\r\n"));
  // Nothing is read until what is under way has come to rest.
  std::size_t before = 1;
  EXPECT_TRUE(eventually([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    return std::exchange(before, taken.load()) == taken.load();
  }));
  EXPECT_LE(held_by_the_proxy(static_cast<std::int64_t>(taken.load()), primary.port(), proxy.port(),
                              client),
            64 << 10)
      << "what one read gave";
  const Answer got = client.receive();
  EXPECT_EQ(got.end, Answer::End::complete);
  EXPECT_EQ(got.body.size(), piece.size() * kPieces);
}

TEST(Failure, A10ClosesOnAClientThatTakesNothingForTooLong) {
  FakeBedrock primary([](const FakeRequest&, FakePeer& peer) {
    peer.send(kChunkedHead);
    while (peer.send(as_chunk(noise(65'536)))) {
    }
  });
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary.port(), .top = "limits: {write_timeout: 300ms}\n"});
  RawClient client(proxy.port(), 4096);
  client.send(converse("hi"));
  ASSERT_TRUE(primary.wait_for_requests(1));
  EXPECT_TRUE(primary.wait_for_open_connections(0));
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "write_timeout"}}, 1));
}

}  // namespace
}  // namespace understudy::testing_support
