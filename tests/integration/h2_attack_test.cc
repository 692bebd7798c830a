// What hostile clients send over HTTP/2, each test named after its row of the threat model: refused
// or made canonical, at a bounded price, and others are served meanwhile.

#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using namespace std::string_literals;

const std::string kTarget = "/model/amazon.primary-v1%3A0/invoke";

class H2Attack : public testing::Test {
 protected:
  // The attacker's connection has ended for that reason, and others are served.
  void expect_calmed(H2Client& attacker, std::string_view limit) {
    EXPECT_NE(attacker.until_end(), "timeout");
    EXPECT_EQ(attacker.goaway_error(), h2::kEnhanceYourCalm);
    EXPECT_TRUE(proxy_.wait_for("refused_total", {{"limit", std::string{limit}}}, 1));
    expect_service();
  }
  void expect_service() {
    H2Client other(proxy_.port());
    EXPECT_EQ(other.ask(1, h2::post(1, kTarget, "{}")).status, 200);
  }
  // Sends it until the proxy has had enough.
  static void flood(H2Client& attacker, const std::string& bytes, int times) {
    for (int i = 0; i < times && attacker.send(bytes); ++i) {
    }
  }

  std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies("{}");
  ProxyUnderTest proxy_{ProxySetup{.primary_port = primary_->port()}};
};

std::string repeated(const std::string& bytes, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += bytes;
  return all;
}

// --- A6: what HTTP/2 could smuggle into HTTP/1.1

struct Injection {
  std::string name;
  h2::Fields fields;
  int status;  // 0: the library resets the stream
};

h2::Fields with(const std::string& name, const std::string& value) {
  return h2::post_fields(kTarget, {{name, value}});
}
h2::Fields instead(std::size_t pseudo, const std::string& value) {
  h2::Fields fields = h2::post_fields(kTarget);
  fields[pseudo].second = value;
  return fields;
}
h2::Fields without(std::size_t pseudo) {
  h2::Fields fields = h2::post_fields(kTarget);
  fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(pseudo));
  return fields;
}

const std::string kSmuggled = "\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
constexpr std::size_t kMethod = 0, kScheme = 1, kAuthority = 2, kPath = 3;
constexpr int kReset = 0;

std::vector<Injection> injections() {
  return {
      // A6, M9: line ends anywhere.
      {"LineEndInAValue", with("x", "a\r\nhost: evil"), 400},
      {"RequestInAValue", with("x", "a" + kSmuggled), 400},
      {"BareLfInAValue", with("x", "a\nb"), 400},
      {"BareCrInAValue", with("x", "a\rb"), 400},
      {"NulInAValue", with("x", "a\0b"s), 400},
      {"ControlInAValue", with("x", "a\x01"), 400},
      {"DelInAValue", with("x", "a\x7f"), 400},
      {"LineEndInAName", with("x: a\r\ny", "b"), 400},
      {"ColonInAName", with("x:y", "b"), 400},
      {"SpaceInAName", with("x y", "b"), 400},
      {"SpaceBehindAName", with("transfer-encoding ", "chunked"), 400},
      {"UpperCaseName", with("X-A", "b"), kReset},
      {"HighByteInAName", with("x\x80", "b"), 400},
      {"EmptyName", with("", "b"), 400},
      {"LineEndInTheMethod", instead(kMethod, "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\nPOST"),
       kReset},
      {"SpaceInTheMethod", instead(kMethod, "GET /smuggled"), kReset},
      {"LineEndInThePath", instead(kPath, "/a HTTP/1.1" + kSmuggled), kReset},
      {"SpaceInThePath", instead(kPath, "/a HTTP/1.1 /b"), kReset},
      {"HighByteInThePath", instead(kPath, "/a\x80"), 400},
      {"LineEndInTheAuthority", instead(kAuthority, "a\r\nx: y"), kReset},
      {"SpaceInTheAuthority", instead(kAuthority, "a b"), kReset},
      // A1, M1, M2: framing belongs to HTTP/2.
      {"TransferEncoding", with("transfer-encoding", "chunked"), kReset},
      {"OddTransferEncoding", with("transfer-encoding", "xchunked"), kReset},
      {"Connection", with("connection", "close"), kReset},
      {"KeepAlive", with("keep-alive", "timeout=5"), kReset},
      {"ProxyConnection", with("proxy-connection", "keep-alive"), kReset},
      {"Upgrade", with("upgrade", "h2c"), kReset},
      {"TeGzip", with("te", "gzip"), kReset},
      // A2: lengths.
      {"LengthWithSign", with("content-length", "+0"), kReset},
      {"LengthInHex", with("content-length", "0x0"), kReset},
      {"LengthAsAList", with("content-length", "0, 0"), kReset},
      {"LengthOf2To64", with("content-length", "18446744073709551616"), kReset},
      {"TwoLengths", h2::post_fields(kTarget, {{"content-length", "0"}, {"content-length", "0"}}),
       kReset},
      {"LengthWithoutABody", with("content-length", "5"), kReset},
      // H5, M7: whom the request is for.
      {"AnotherHost", with("host", "evil"), 400},
      {"TwoHosts", h2::post_fields(kTarget, {{"host", "localhost"}, {"host", "localhost"}}),
       kReset},
      {"NoAuthorityAndNoHost", without(kAuthority), kReset},
      {"NoMethod", without(kMethod), kReset},
      {"NoScheme", without(kScheme), kReset},
      {"NoPath", without(kPath), kReset},
      {"EmptyPath", instead(kPath, ""), kReset},
      {"OddScheme", instead(kScheme, "ftp"), 400},
      {"UnknownPseudoField", with(":x", "y"), kReset},
      {"PseudoFieldBehindAField",
       h2::Fields{{":method", "POST"}, {"x", "y"}, {":scheme", "http"}, {":path", "/"}}, kReset},
      {"TwoPaths", with(":path", "/b"), kReset},
      // A5: no tunnels.
      {"Connect", h2::Fields{{":method", "CONNECT"}, {":authority", "evil:443"}}, 400},
      {"ExtendedConnect", with(":protocol", "websocket"), kReset},
      // A12, A13: targets as over HTTP/1.1.
      {"AbsoluteForm", instead(kPath, "http://evil/a"), kReset},
      {"Asterisk", instead(kPath, "*"), kReset},
      {"NoSlash", instead(kPath, "a"), kReset},
      {"DotDot", instead(kPath, "/model/../a"), 400},
      {"EmptySegment", instead(kPath, "/model//a"), 400},
      {"Fragment", instead(kPath, "/a#b"), 400},
      {"Backslash", instead(kPath, "/a\\b"), 400},
      {"EncodedTwice", instead(kPath, "/model/a%252Fb/converse"), 400},
      {"EncodedLineEnd", instead(kPath, "/model/a%0d%0ab/converse"), 400},
      // A11.
      {"LongTarget", instead(kPath, "/" + std::string(9'000, 'a')), 414},
      {"LargeHead", with("x", std::string(40'000, 'a')), 431},
      {"TwoCredentials", h2::post_fields(kTarget, {{"authorization", "a"}, {"authorization", "b"}}),
       400},
  };
}

TEST_F(H2Attack, A6NothingIsInjectedIntoHttp1) {
  for (const Injection& injection : injections()) {
    H2Client attacker(proxy_.port());
    const H2Answer& got = attacker.ask(1, h2::headers(1, injection.fields));
    EXPECT_EQ(got.status, injection.status) << injection.name;
    EXPECT_EQ(got.end, injection.status == 0 ? H2Answer::End::reset : H2Answer::End::complete)
        << injection.name;
    // The same connection goes on to serve what is well made.
    EXPECT_EQ(attacker.ask(3, h2::post(3, kTarget, "{}")).status, 200) << injection.name;
  }
  EXPECT_EQ(primary_->count(), injections().size());
  for (const FakeRequest& request : primary_->requests()) EXPECT_EQ(request.target(), kTarget);
}

TEST_F(H2Attack, A6ABodyThatIsNotAsLongAsItSaysIsRefused) {
  H2Client attacker(proxy_.port());
  for (const std::string body : {"1234", "123456"}) {
    const std::uint32_t stream = body.size() == 4 ? 1 : 3;
    const h2::Fields fields = h2::post_fields(kTarget, {{"content-length", "5"}});
    const std::string request = h2::headers(stream, fields, false) + h2::data(stream, body);
    EXPECT_EQ(attacker.ask(stream, request).end, H2Answer::End::reset) << body;
  }
  EXPECT_EQ(primary_->count(), 0u);
}

TEST_F(H2Attack, M3TrailersDoNotBecomeFields) {
  H2Client attacker(proxy_.port());
  const h2::Fields trailers{{"host", "evil"}, {"authorization", "evil"}, {"x-trailer", "evil"}};
  const std::string request = h2::headers(1, h2::post_fields(kTarget), false) +
                              h2::data(1, "{}", false) + h2::headers(1, trailers);
  EXPECT_EQ(attacker.ask(1, request).status, 200);
  EXPECT_EQ(primary_->request(0).head.find("evil"), std::string::npos);
  EXPECT_EQ(primary_->request(0).body, "{}");
}

TEST_F(H2Attack, A15NothingOfAConnectionFieldIsApplied) {
  H2Client attacker(proxy_.port());
  EXPECT_EQ(attacker.ask(1, h2::headers(1, with("connection", "authorization"))).end,
            H2Answer::End::reset);
  EXPECT_EQ(primary_->count(), 0u);
}

// --- A7: resets

TEST_F(H2Attack, A7RapidResetEndsTheConnectionAndCostsFewCalls) {
  H2Client attacker(proxy_.port());
  std::string pairs;
  std::uint32_t stream = 1;
  for (int i = 0; i < 10'000; ++i, stream += 2)
    pairs += h2::post(stream, kTarget, "{}") + h2::reset(stream);
  attacker.send(pairs);
  expect_calmed(attacker, "resets_received");
  EXPECT_LE(primary_->count(), 201u);
}

// CVE-2025-8671: the client makes the proxy send the resets.
TEST_F(H2Attack, A7MadeYouResetEndsTheConnectionAndCostsFewCalls) {
  H2Client attacker(proxy_.port());
  std::string streams;
  std::uint32_t stream = 1;
  for (int i = 0; i < 10'000; ++i, stream += 2)
    streams += h2::post(stream, kTarget, "{}") + h2::window_update(stream, 0x7FFF'FFFF) +
               h2::window_update(stream, 0x7FFF'FFFF);
  attacker.send(streams);
  EXPECT_NE(attacker.until_end(), "timeout");
  EXPECT_EQ(attacker.goaway_error(), h2::kEnhanceYourCalm);
  expect_service();
  EXPECT_LE(primary_->count(), 201u);
}

TEST_F(H2Attack, A7MalformedRequestsWithoutEndAreNotAnsweredForEver) {
  H2Client attacker(proxy_.port());
  std::string streams;
  std::uint32_t stream = 1;
  for (int i = 0; i < 1'000; ++i, stream += 2)
    streams += h2::headers(stream, with("connection", "close"));
  attacker.send(streams);
  expect_calmed(attacker, "max_glitches");
  EXPECT_GT(proxy_.value("refused_total", {{"limit", "http2"}}), 50);
}

TEST_F(H2Attack, A7MoreStreamsAtOnceThanAgreedAreRefused) {
  Gate answering;
  FakeBedrock slow([&](const FakeRequest&, FakePeer& peer) {
    answering.wait();
    peer.send(answer("{}"));
  });
  ProxyUnderTest proxy(ProxySetup{.primary_port = slow.port(),
                                  .top = "limits: {http2: {max_concurrent_streams: 5}}\n"});
  H2Client client(proxy.port());
  ASSERT_TRUE(client.settle());  // it knows the limit now
  EXPECT_EQ(client.settings().at(3), 5u);
  std::string streams;
  for (std::uint32_t stream = 1; stream <= 21; stream += 2)
    streams += h2::post(stream, kTarget, "{}");
  client.send(streams);
  EXPECT_NE(client.until_end(), "timeout");
  EXPECT_EQ(client.goaway_error(), h2::kProtocolError);
  EXPECT_LE(slow.count(), 5u);
  answering.open();
}

// --- A8: header blocks

TEST_F(H2Attack, A8ManyContinuationsEndTheConnection) {
  H2Client attacker(proxy_.port());
  std::string frames = h2::frame(h2::kHeaders, h2::kNone, 1, h2::block(h2::post_fields(kTarget)));
  for (int i = 0; i < 20; ++i)
    frames += h2::frame(h2::kContinuation, h2::kNone, 1, h2::block({{"x", "y"}}));
  attacker.send(frames);
  expect_calmed(attacker, "max_continuations");
}

// H4: 16 KiB of references to one entry of the dynamic table that is 4,000 bytes long.
TEST_F(H2Attack, A8AnHpackBombIsDefused) {
  H2Client attacker(proxy_.port());
  std::string fields = h2::block(h2::post_fields(kTarget));
  std::string entry = h2::block({{"x", std::string(4'000, 'a')}});
  entry[0] = 0x40;  // with indexing
  fields += entry + std::string(12'000, static_cast<char>(0x80 | 62));
  const H2Answer& got =
      attacker.ask(1, h2::frame(h2::kHeaders, h2::kEndStream | h2::kEndHeaders, 1, fields));
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.end, H2Answer::End::reset);
  expect_service();
  EXPECT_EQ(primary_->count(), 1u);
}

TEST_F(H2Attack, A8M8ManyFieldsAreToldThatTheyAreMany) {
  H2Client attacker(proxy_.port());
  h2::Fields fields = h2::post_fields(kTarget);
  for (int i = 0; i < 150; ++i) fields.emplace_back("x", "");
  const H2Answer& got = attacker.ask(1, h2::headers(1, fields));
  EXPECT_EQ(got.status, 431);
  EXPECT_EQ(got.field("x-understudy-error"), "max_header_fields");
  EXPECT_EQ(primary_->count(), 0u);
}

// --- A9: frames that cost the sender nothing. H3: the library lets all of these pass.

TEST_F(H2Attack, A9PingFlood) {
  H2Client attacker(proxy_.port());
  flood(attacker, repeated(h2::ping(), 1'000), 10);
  expect_calmed(attacker, "pings");
}

TEST_F(H2Attack, A9SettingsFlood) {
  H2Client attacker(proxy_.port());
  flood(attacker, repeated(h2::settings(), 1'000), 10);
  expect_calmed(attacker, "settings");
}

TEST_F(H2Attack, A9PriorityFlood) {
  H2Client attacker(proxy_.port());
  const std::string one = h2::frame(h2::kPriority, h2::kNone, 3, h2::number(0) + "\x10");
  flood(attacker, repeated(one, 1'000), 10);
  expect_calmed(attacker, "max_priorities_per_stream");
}

TEST_F(H2Attack, A9WindowUpdateFlood) {
  H2Client attacker(proxy_.port(), {.connection_window = 65'535});
  flood(attacker, repeated(h2::window_update(0, 1), 1'000), 10);
  expect_calmed(attacker, "max_window_updates_per_data");
}

TEST_F(H2Attack, A9EmptyDataFlood) {
  H2Client attacker(proxy_.port());
  attacker.send(h2::headers(1, h2::post_fields(kTarget), false));
  flood(attacker, repeated(h2::data(1, "", false), 1'000), 10);
  expect_calmed(attacker, "max_empty_data");
}

TEST_F(H2Attack, A9PaddingWithoutData) {
  H2Client attacker(proxy_.port());
  attacker.send(h2::headers(1, h2::post_fields(kTarget), false));
  flood(attacker, repeated(h2::frame(h2::kData, 8, 1, "\x03"s + "pad"), 1'000), 10);
  expect_calmed(attacker, "max_empty_data");
}

TEST_F(H2Attack, A9UnknownFrameFlood) {
  H2Client attacker(proxy_.port());
  flood(attacker, repeated(h2::frame(0x42, h2::kNone, 0, "?"), 1'000), 10);
  expect_calmed(attacker, "max_unknown_frames");
}

TEST_F(H2Attack, A9ResetFloodOfUnknownKinds) {
  H2Client attacker(proxy_.port());
  attacker.send(h2::post(1, kTarget, "{}"));
  attacker.receive(1);
  flood(attacker, repeated(h2::reset(1), 1'000), 10);
  expect_calmed(attacker, "resets_received");
}

// What clients do in their ordinary life is not a flood.
TEST_F(H2Attack, OrdinaryClientsAreNotTakenForFloods) {
  H2Client client(proxy_.port(), {.connection_window = 65'535});
  for (std::uint32_t stream = 1; stream < 600; stream += 2) {
    client.send(h2::frame(h2::kPriority, h2::kNone, stream, h2::number(0) + "\x10"));
    EXPECT_EQ(client.ask(stream, h2::post(stream, kTarget, "{}")).status, 200);
    client.send(h2::window_update(0, 2));
  }
  EXPECT_TRUE(client.settle());
  EXPECT_TRUE(client.goaways().empty());
}

TEST_F(H2Attack, GarbageBehindThePrefaceEndsTheConnection) {
  RawClient attacker(proxy_.port());
  attacker.send(std::string{h2::kPreface.substr(0, 18)} + "XX\r\n\r\n");
  EXPECT_NE(attacker.receive().end, Answer::End::timeout);
  RawClient noisy(proxy_.port());
  noisy.send(std::string{h2::kPreface} + noise(100'000));
  EXPECT_NE(noisy.receive().end, Answer::End::timeout);
  expect_service();
}

}  // namespace
}  // namespace understudy::testing_support
