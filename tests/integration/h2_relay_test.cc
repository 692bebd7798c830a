// The same exchange over HTTP/2: bytes both ways, many streams at once, what slow readers hold
// back, and how connections and answers end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using namespace std::string_literals;
using testing::Contains;
using testing::Key;
using testing::Not;

const std::string kTarget = "/model/amazon.primary-v1%3A0/invoke";

TEST(H2Relay, BodiesOfEverySizeReachBothEndsByteForByte) {
  FakeBedrock primary(
      [](const FakeRequest& request, FakePeer& peer) { peer.send(answer(request.body)); });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  H2Client client(proxy.port());
  std::uint32_t stream = 1;
  for (const std::size_t size : {0u, 1u, 1'023u, 1'024u, 16'384u, 16'385u, 300'000u}) {
    const std::string body = noise(size);
    const H2Answer& got = client.ask(stream, h2::post(stream, kTarget, body));
    EXPECT_TRUE(got.whole());
    EXPECT_EQ(got.status, 200);
    EXPECT_TRUE(got.body == body) << got.body.size() << " bytes of " << size;
    EXPECT_EQ(got.field("content-length"), std::to_string(size));
    EXPECT_TRUE(primary.requests().back().body == body);
    stream += 2;
  }
}

TEST(H2Relay, AChunkedAnswerIsTakenOutOfItsChunks) {
  const std::string body = noise(200'000);
  auto primary = FakeBedrock::sends(chunked_answer(body, 4'000));
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  H2Client client(proxy.port());
  const H2Answer& got = client.ask(1, h2::post(1, kTarget, "{}"));
  EXPECT_TRUE(got.whole());
  EXPECT_TRUE(got.body == body);
  EXPECT_THAT(got.fields, Not(Contains(Key("transfer-encoding"))));
  EXPECT_THAT(got.fields, Not(Contains(Key("content-length"))));
}

TEST(H2Relay, TheUpstreamSeesWhatHttp1WouldHaveBrought) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  H2Client client(proxy.port());
  client.ask(1, h2::post(1, kTarget + "?x=%2F", "{\"a\":1}",
                         {{"content-type", "application/json"},
                          {"x-custom", "one"},
                          {"te", "trailers"},
                          {"cookie", "a=1"},
                          {"cookie", "b=2"},
                          {"x-amz-date", "20260101T000000Z"}}));
  const FakeRequest request = primary->request(0);
  EXPECT_EQ(request.method(), "POST");
  EXPECT_EQ(request.target(), kTarget + "?x=%2F");
  EXPECT_EQ(request.body, "{\"a\":1}");
  EXPECT_EQ(request.field("content-length"), "7");
  EXPECT_EQ(request.field("content-type"), "application/json");
  EXPECT_EQ(request.field("x-custom"), "one");
  EXPECT_EQ(request.field("host"), "127.0.0.1:" + std::to_string(primary->port()));
  for (const auto* gone : {"te", "cookie", "x-amz-date", "transfer-encoding", "connection"})
    EXPECT_FALSE(request.has(gone)) << gone;
}

TEST(H2Relay, FieldsOfTheAnswerAreInLowerCaseAndEndToEnd) {
  auto primary = FakeBedrock::sends(
      "HTTP/1.1 200 OK\r\nX-Amzn-RequestId: 7\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
      "Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nContent-Length: 2\r\n\r\n{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  H2Client client(proxy.port());
  const H2Answer& got = client.ask(1, h2::post(1, kTarget, "{}"));
  EXPECT_EQ(got.field("x-amzn-requestid"), "7");
  EXPECT_EQ(got.field("x-understudy-route"), "route");
  for (const auto* gone : {"connection", "keep-alive", "proxy-connection", "x-hop"})
    EXPECT_THAT(got.fields, Not(Contains(Key(gone))));
  for (const auto& [name, value] : got.fields) {
    EXPECT_EQ(name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), std::string::npos) << name;
  }
}

TEST(H2Relay, AnswersWithoutABodyHaveNoData) {
  FakeBedrock primary([](const FakeRequest& request, FakePeer& peer) {
    if (request.method() == "HEAD") {
      peer.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    } else if (request.target().ends_with("204")) {
      peer.send("HTTP/1.1 204 No Content\r\n\r\n");
    } else {
      peer.send("HTTP/1.1 304 Not Modified\r\n\r\n");
    }
  });
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary.port(), .top = "default_route: {upstream: primary}\n"});
  H2Client client(proxy.port());
  h2::Fields head = h2::post_fields("/x");
  head[0].second = "HEAD";
  const H2Answer& to_head = client.ask(1, h2::headers(1, head));
  EXPECT_TRUE(to_head.whole());
  EXPECT_EQ(to_head.field("content-length"), "5");
  head[0].second = "GET";
  head[3].second = "/204";
  EXPECT_EQ(client.ask(3, h2::headers(3, head)).status, 204);
  head[3].second = "/304";
  EXPECT_EQ(client.ask(5, h2::headers(5, head)).status, 304);
  EXPECT_TRUE(client.answer(5).whole());
  EXPECT_EQ(client.frames(h2::kData), 0u);
}

TEST(H2Relay, M11InterimAnswersOfTheUpstreamArePassedOver) {
  auto primary = FakeBedrock::sends(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + answer("{}"));
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  H2Client client(proxy.port());
  const H2Answer& got = client.ask(1, h2::post(1, kTarget, "{}"));
  EXPECT_EQ(got.status, 200);
  EXPECT_TRUE(got.interim.empty());
  EXPECT_EQ(got.body, "{}");
}

TEST(H2Relay, PassesTheFirstPartOnWhileTheRestIsNotThere) {
  Gate rest;
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + as_chunk("first"));
    rest.wait();
    peer.send(as_chunk("rest") + "0\r\n\r\n");
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  H2Client client(proxy.port());
  client.send(h2::post(1, kTarget, "{}"));
  EXPECT_EQ(client.receive_bytes(1, 5).body, "first");
  rest.open();
  EXPECT_EQ(client.receive(1).body, "firstrest");
  EXPECT_TRUE(client.answer(1).whole());
}

TEST(H2Relay, AnswersStreamsInTheOrderInWhichTheirUpstreamsDo) {
  Gate slow;
  FakeBedrock primary([&](const FakeRequest& request, FakePeer& peer) {
    if (request.body == "slow") slow.wait();
    peer.send(answer(request.body));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  H2Client client(proxy.port());
  client.send(h2::post(1, kTarget, "slow"));
  std::string many;
  for (std::uint32_t stream = 3; stream < 99; stream += 2)
    many += h2::post(stream, kTarget, std::to_string(stream));
  client.send(many);
  for (std::uint32_t stream = 3; stream < 99; stream += 2)
    EXPECT_EQ(client.receive(stream).body, std::to_string(stream));
  EXPECT_EQ(client.answer(1).end, H2Answer::End::none);
  slow.open();
  EXPECT_EQ(client.receive(1).body, "slow");
}

TEST(H2Relay, ABodyThatFindsNoRoomBesideThoseUnderWayIsRefusedAndNoOther) {
  Gate slow;
  FakeBedrock primary([&](const FakeRequest& request, FakePeer& peer) {
    if (request.body.size() > 1'000) slow.wait();
    peer.send(answer(std::to_string(request.body.size())));
  });
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary.port(),
                 .top = "limits: {max_body_bytes: 64KiB, max_buffered_body_bytes: 96KiB}\n"});
  H2Client client(proxy.port());
  const std::string large = noise(65'536);
  client.send(h2::post(1, kTarget, large));
  ASSERT_TRUE(eventually([&] { return proxy.server().load().request_body_bytes == 65'536; }));
  const H2Answer& refused = client.ask(3, h2::post(3, kTarget, large));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("x-amzn-errortype"), "ServiceUnavailableException");
  EXPECT_EQ(refused.field("x-understudy-error"), "max_buffered_body_bytes");
  EXPECT_EQ(client.ask(5, h2::post(5, kTarget, "{}")).body, "2");
  slow.open();
  EXPECT_EQ(client.receive(1).body, "65536");
  EXPECT_TRUE(eventually([&] { return proxy.server().load().request_body_bytes == 0; }));
}

TEST(H2Relay, ARefusedRequestIsAnsweredAsItselfAndNotAsTheOneBeforeIt) {
  Gate slow;
  FakeBedrock primary([&](const FakeRequest& request, FakePeer& peer) {
    if (request.body == "slow") slow.wait();
    peer.send(answer("{}"));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  H2Client client(proxy.port());
  client.send(h2::post(1, kTarget, "slow"));
  ASSERT_EQ(client.ask(3, h2::post(3, "/anthropic/v1/messages", R"({"model":"a.b"})")).status, 200);
  const H2Answer& refused =
      client.ask(5, h2::headers(5, h2::post_fields(kTarget, {{"host", "evil"}})));
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, testing::StartsWith(R"({"message":)"))
      << "Bedrock's shape, not Anthropic's";
  slow.open();
  EXPECT_EQ(client.receive(1).status, 200);
}

TEST(H2Relay, TheCandidateIsAskedAsWell) {
  auto primary = FakeBedrock::replies(converse_answer("hello"));
  auto candidate = FakeBedrock::replies(converse_answer("hello"));
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .candidate_port = candidate->port()});
  H2Client client(proxy.port());
  EXPECT_EQ(client.ask(1, h2::converse(1, "hi")).status, 200);
  EXPECT_TRUE(candidate->wait_for_requests(1));
  EXPECT_EQ(candidate->request(0).body, converse_body("hi"));
  EXPECT_TRUE(proxy.books_balance(1)) << proxy.books();
}

// --- Who waits for whom

// Sends an endless answer and tells how much of it was taken.
struct Fountain {
  std::atomic<std::size_t> taken{0};
  FakeBedrock primary{[this](const FakeRequest& request, FakePeer& peer) {
    if (request.body != "endless") return (void)peer.send(answer("short"));
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
    const std::string some = noise(64 << 10);
    while (peer.send(some)) taken += some.size();
  }};
};

TEST(H2Relay, A10AReaderWithoutAWindowHoldsBackItsUpstreamAndNobodyElse) {
  Fountain fountain;
  ProxyUnderTest proxy(ProxySetup{.primary_port = fountain.primary.port()});
  H2Client client(proxy.port(), {.stream_window = 100'000});
  client.send(h2::post(1, kTarget, "endless"));
  EXPECT_EQ(client.receive_bytes(1, 100'000).body.size(), 100'000u);
  // The others go on meanwhile, and the upstream of the first is not read.
  std::size_t before = 0;
  std::uint32_t stream = 3;
  do {
    before = fountain.taken;
    for (int i = 0; i < 20; ++i, stream += 2)
      EXPECT_EQ(client.ask(stream, h2::post(stream, kTarget, "{}")).body, "short");
  } while (fountain.taken != before && stream < 2'000);
  EXPECT_EQ(fountain.taken, before);
  EXPECT_EQ(client.answer(1).body.size(), 100'000u);
  client.send(h2::window_update(1, 1'000'000));
  EXPECT_EQ(client.receive_bytes(1, 1'100'000).body.size(), 1'100'000u);
}

TEST(H2Relay, A10AReaderThatTakesNothingLosesItsStreamInTime) {
  Fountain fountain;
  ProxyUnderTest proxy(ProxySetup{.primary_port = fountain.primary.port(),
                                  .top = "limits: {write_timeout: 300ms}\n"});
  H2Client client(proxy.port(), {.stream_window = 1'000});
  const H2Answer& got = client.ask(1, h2::post(1, kTarget, "endless"));
  EXPECT_EQ(got.end, H2Answer::End::reset);
  EXPECT_EQ(got.reset, h2::kInternalError);
  EXPECT_TRUE(fountain.primary.wait_for_open_connections(0));
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "write_timeout"}}, 1));
  EXPECT_EQ(client.ask(3, h2::post(3, kTarget, "{}")).body, "short");
}

TEST(H2Relay, A10AConnectionThatTakesNothingIsClosedInTime) {
  Fountain fountain;
  ProxyUnderTest proxy(ProxySetup{.primary_port = fountain.primary.port(),
                                  .top = "limits: {write_timeout: 300ms}\n"});
  H2Client client(proxy.port(), {.receive_buffer_bytes = 4'096});
  client.send(h2::post(1, kTarget, "endless"));
  EXPECT_TRUE(fountain.primary.wait_for_requests(1));
  EXPECT_TRUE(fountain.primary.wait_for_open_connections(0));
}

TEST(H2Relay, A10ABodyThatStopsComingIsGivenUp) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .top = "limits: {body_idle_timeout: 300ms}\n"});
  H2Client client(proxy.port());
  client.send(h2::headers(1, h2::post_fields(kTarget), false) + h2::data(1, "some", false));
  EXPECT_EQ(client.receive(1).end, H2Answer::End::reset);
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "body_idle_timeout"}}, 1));
  EXPECT_EQ(primary->count(), 0u);
}

TEST(H2Relay, A10ABodyThatDripsIsGivenUpLongBeforeItsPausesAreTooLong) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .top = "limits: {body_rate_grace: 300ms}\n"});
  H2Client client(proxy.port());
  client.send(h2::headers(1, h2::post_fields(kTarget), false) + h2::data(1, "some", false));
  EXPECT_EQ(client.receive(1).end, H2Answer::End::reset);
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "min_body_bytes_per_second"}}, 1));
  EXPECT_EQ(primary->count(), 0u);
}

// --- Ends of answers

TEST(H2Relay, TheClientsResetEndsTheUpstreamCallAtOnce) {
  auto primary = FakeBedrock::never_replies();
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  H2Client client(proxy.port());
  client.send(h2::post(1, kTarget, "{}"));
  EXPECT_TRUE(primary->wait_for_requests(1));
  client.send(h2::reset(1));
  EXPECT_TRUE(primary->wait_for_open_connections(0));
  EXPECT_TRUE(client.settle());
}

TEST(H2Relay, TheClientsResetInTheMiddleOfAnAnswerEndsItToo) {
  Fountain fountain;
  ProxyUnderTest proxy(ProxySetup{.primary_port = fountain.primary.port()});
  H2Client client(proxy.port(), {.stream_window = 100'000});
  client.send(h2::post(1, kTarget, "endless"));
  client.receive_bytes(1, 1);
  client.send(h2::reset(1));
  EXPECT_TRUE(fountain.primary.wait_for_open_connections(0));
  EXPECT_EQ(client.ask(3, h2::post(3, kTarget, "{}")).body, "short");
}

TEST(H2Relay, TheEndOfTheConnectionEndsEveryUpstreamCall) {
  auto primary = FakeBedrock::never_replies();
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  H2Client client(proxy.port());
  for (std::uint32_t stream = 1; stream < 11; stream += 2)
    client.send(h2::post(stream, kTarget, "{}"));
  EXPECT_TRUE(primary->wait_for_requests(5));
  client.close();
  EXPECT_TRUE(primary->wait_for_open_connections(0));
}

TEST(H2Relay, ACutAnswerIsAResetAndNeverAnEnd) {
  FakeBedrock primary([](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    peer.close();
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  H2Client client(proxy.port());
  const H2Answer& got = client.ask(1, h2::post(1, kTarget, "{}"));
  EXPECT_EQ(got.end, H2Answer::End::reset);
  EXPECT_EQ(got.reset, h2::kInternalError);
  EXPECT_EQ(got.body, "half");
  EXPECT_TRUE(client.settle());
}

// Else a hundred streams a connection would leave no file to accept, to log or to reload with.
TEST(H2Relay, ARequestBeyondWhatTheProcessMayHaveFilesForIsRefused) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit for_three{256 + 3 * 3 + 2, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &for_three), 0);
  Gate may_answer;
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    may_answer.wait();
    peer.send(answer("{}"));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  ::setrlimit(RLIMIT_NOFILE, &before);
  H2Client client(proxy.port());
  for (const std::uint32_t stream : {1u, 3u, 5u}) client.send(h2::post(stream, kTarget, "{}"));
  EXPECT_TRUE(primary.wait_for_requests(3));
  const H2Answer& refused = client.ask(7, h2::post(7, kTarget, "{}"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("x-amzn-errortype"), "ServiceUnavailableException");
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "open_files"}}, 1));
  may_answer.open();
  for (const std::uint32_t stream : {1u, 3u, 5u}) EXPECT_EQ(client.receive(stream).status, 200);
  EXPECT_EQ(client.ask(9, h2::post(9, kTarget, "{}")).status, 200) << "there is room again";
}

TEST(H2Relay, AnUpstreamThatCannotBeReachedIsAnAnswer) {
  ProxyUnderTest proxy(ProxySetup{.primary_port = refusing_port()});
  H2Client client(proxy.port());
  const H2Answer& got = client.ask(1, h2::post(1, kTarget, "{}"));
  EXPECT_TRUE(got.whole());
  EXPECT_EQ(got.status, 502);
  EXPECT_EQ(got.field("x-understudy-error"), "connect");
}

// H6: a reset that overtakes the answer would take it away.
TEST(H2Relay, H6AnEarlyErrorReachesAClientThatStillSends) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .top = "limits: {max_body_bytes: 1KiB}\n"});
  H2Client client(proxy.port());
  client.send(h2::headers(1, h2::post_fields(kTarget, {{"content-length", "5000"}}), false));
  EXPECT_EQ(client.receive(1).status, 413);
  EXPECT_TRUE(client.answer(1).whole());
  EXPECT_EQ(client.answer(1).field("x-understudy-error"), "max_body_bytes");
  EXPECT_TRUE(client.settle());
  EXPECT_EQ(client.answer(1).reset, h2::kNoError);
  // The same without a content-length: as soon as it is too much.
  client.send(h2::headers(3, h2::post_fields(kTarget), false) + h2::data(3, noise(2'000), false));
  EXPECT_EQ(client.receive(3).status, 413);
  EXPECT_EQ(primary->count(), 0u);
}

TEST(H2Relay, AnExpectationIsAnsweredBeforeTheBody) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  H2Client client(proxy.port());
  client.send(h2::headers(1, h2::post_fields(kTarget, {{"expect", "100-continue"}}), false));
  // The answer to the first ping may have overtaken it.
  EXPECT_TRUE(client.settle() && client.settle());
  EXPECT_THAT(client.answer(1).interim, testing::ElementsAre(100));
  EXPECT_EQ(client.ask(1, h2::data(1, "{}")).status, 200);
  EXPECT_EQ(client.ask(3, h2::headers(3, h2::post_fields(kTarget, {{"expect", "x"}}))).status, 417);
}

// --- Ends of connections

// The AWS SDK for JavaScript does so with each of its requests.
TEST(H2Relay, AClientThatSaysGoawayStillGetsItsWholeStream) {
  Gate rest;
  FakeBedrock primary([&](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + as_chunk("first"));
    rest.wait();
    for (int i = 0; i < 20; ++i) peer.send(as_chunk(noise(20'000)));
    peer.send("0\r\n\r\n");
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  H2Client client(proxy.port());
  client.send(h2::post(1, kTarget, "{}"));
  client.receive_bytes(1, 1);
  client.send(h2::goaway(0));
  EXPECT_TRUE(client.settle());
  rest.open();
  const H2Answer& got = client.receive(1);
  EXPECT_TRUE(got.whole());
  EXPECT_EQ(got.body.size(), 5u + 20 * 20'000u);
  EXPECT_EQ(client.until_end(), "closed");
}

TEST(H2Relay, DrainingTellsTheClientTwiceAndFinishesItsStreams) {
  Gate rest;
  FakeBedrock primary([&](const FakeRequest& request, FakePeer& peer) {
    if (request.body == "slow") rest.wait();
    peer.send(answer(request.body));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  H2Client client(proxy.port());
  client.send(h2::post(1, kTarget, "slow"));
  EXPECT_TRUE(primary.wait_for_requests(1));
  std::thread draining([&] { EXPECT_TRUE(proxy.server().drain(kPatience)); });
  EXPECT_TRUE(client.wait_for_goaways(1));
  EXPECT_EQ(client.goaways().at(0).last_stream, 0x7FFF'FFFFu);
  EXPECT_TRUE(client.wait_for_goaways(2));
  EXPECT_EQ(client.goaways().at(1).last_stream, 1u);
  EXPECT_EQ(client.goaway_error(), h2::kNoError);
  rest.open();
  EXPECT_EQ(client.receive(1).body, "slow");
  EXPECT_EQ(client.until_end(), "closed");
  draining.join();
}

TEST(H2Relay, AnIdleConnectionEndsInTimeWithoutAnError) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port(),
                                  .top = "limits: {http2: {keep_alive_timeout: 300ms}}\n"});
  H2Client client(proxy.port());
  EXPECT_EQ(client.ask(1, h2::post(1, kTarget, "{}")).status, 200);
  EXPECT_EQ(client.until_end(), "closed");
  EXPECT_EQ(client.goaway_error(), h2::kNoError);
  EXPECT_EQ(client.goaways().back().last_stream, 1u);
}

TEST(H2Relay, AConnectionThatHadItsShareOfStreamsIsAskedToEnd) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .top = "limits: {http2: {max_streams: 3}}\n"});
  H2Client client(proxy.port());
  for (std::uint32_t stream = 1; stream < 7; stream += 2)
    EXPECT_EQ(client.ask(stream, h2::post(stream, kTarget, "{}")).status, 200);
  EXPECT_EQ(client.until_end(), "closed");
  EXPECT_EQ(client.goaway_error(), h2::kNoError);
}

TEST(H2Relay, A10APrefaceThatDribblesIsNotWaitedForForever) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .top = "limits: {header_timeout: 300ms}\n"});
  const std::string whole{h2::kPreface};
  const std::string head_without_end = h2::frame(h2::kHeaders, h2::kNone, 1, "");
  for (const std::string& bytes : {whole.substr(0, 10), whole.substr(0, 18), whole,
                                   whole + h2::settings() + head_without_end}) {
    RawClient client(proxy.port());
    client.send(bytes);
    EXPECT_NE(client.receive().end, Answer::End::timeout) << bytes.size();
  }
  EXPECT_TRUE(proxy.wait_for("refused_total", {{"limit", "header_timeout"}}, 4));
}

TEST(H2Relay, BothProtocolsAreServedOnOnePort) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient one(proxy.port());
  H2Client two(proxy.port());
  EXPECT_EQ(one.ask(post(kTarget, "{}")).status, 200);
  EXPECT_EQ(two.ask(1, h2::post(1, kTarget, "{}")).status, 200);
  EXPECT_EQ(one.ask(post(kTarget, "{}")).status, 200);
}

}  // namespace
}  // namespace understudy::testing_support
