// What is ambiguous is refused: exactly one answer of ours, then the connection is closed, and the
// upstream never hears of it. The letters are those of the smuggling and parser vectors that this
// gate was made for.

#include <gtest/gtest.h>

#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

struct Vector {
  std::string name;
  std::string bytes;
  int status;
};

std::string with(const std::string& fields, const std::string& body = "") {
  return "POST /model/m/invoke HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
std::string line(const std::string& request_line) {
  return request_line + "\r\nHost: a\r\n\r\n";
}
std::string chunks(const std::string& body) {
  return with("Transfer-Encoding: chunked\r\n", body);
}

// What an attacker hopes will be taken for a request of its own.
const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

std::vector<Vector> vectors() {
  using namespace std::string_literals;
  std::vector<Vector> all;
  const auto add = [&](std::string name, std::string bytes, int status) {
    all.push_back({std::move(name), std::move(bytes), status});
  };

  // Transfer-Encoding that is not one field saying "chunked".
  for (const std::string coding :
       {"xchunked", "identity", "\"chunked\"", "chunked, identity", "identity, chunked",
        "chunked, chunked", "gzip, chunked", ", chunked", "chunked,", "chunked;q=1", "chunked\x0b",
        "x", "", "chunked foo"}) {
    const bool control = coding.find('\x0b') != std::string::npos;
    add("TransferEncoding[" + coding + "]",
        with("Transfer-Encoding: " + coding + "\r\n", "0\r\n\r\n" + kSmuggled),
        control ? 400 : 501);
  }
  add("TwoTransferEncodings",
      with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
           "0\r\n\r\n" + kSmuggled),
      501);
  add("ChunkedTwice",
      with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + kSmuggled),
      501);
  add("OddTransferEncodingWithLength",
      with("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", "0\r\n\r\n" + kSmuggled), 501);
  add("ChunkedThenLength",
      with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n" + kSmuggled), 400);
  add("LengthThenChunked",
      with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + kSmuggled), 400);
  add("ChunkedIn10",
      "POST /model/m/invoke HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400);
  add("TransferEncodingSpaceColon", with("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400);
  add("TransferEncodingTabColon", with("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"), 400);
  add("FoldedTransferEncoding", with("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 501);
  add("TransferEncodingBareLf", with("X: a\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400);

  // Content-Length that is not one plain number.
  for (const std::string length :
       {"", "+5", "-5", " 5 5", "5, 5", "5,5", "0x5", "5 ,", "5;", "five", "1e1", "5.0", "\"5\"",
        "18446744073709551616", "18446744073709551621", "99999999999999999999999999",
        "0000000000005"}) {
    add("ContentLength[" + length + "]",
        with("Content-Length: " + length + "\r\n", "abcde" + kSmuggled), 400);
  }
  add("TwoLengths", with("Content-Length: 5\r\nContent-Length: 6\r\n", "abcdef"), 400);
  add("TwoEqualLengths", with("Content-Length: 5\r\nContent-Length: 5\r\n", "abcde"), 400);
  add("LengthSpaceColon", with("Content-Length : 5\r\n", "abcde"), 400);

  // Lines and characters.
  add("Folded", with("X: a\r\n b\r\n"), 400);
  add("FoldedByTab", with("X: a\r\n\tb\r\n"), 400);
  add("FoldedHost", "POST /model/m/invoke HTTP/1.1\r\nHost: good\r\n X: a\r\n\r\n", 400);
  add("LeadingSpaceInFirstField", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
  add("BareLfs", "GET /a HTTP/1.1\nHost: a\nX: b\n\r\n\r\n", 400);
  add("BareLfInFields", with("X: a\nY: b\r\n"), 400);
  add("BareCrInValue", with("X: a\rY: b\r\n"), 400);
  add("BareCrBeforeCrLf", with("X: a\r\r\n"), 400);
  add("NulInValue", with("X: a\0b\r\n"s), 400);
  add("NulInName", with("X\0Y: a\r\n"s), 400);
  add("DelInValue", with("X: a\x7f\r\n"), 400);
  add("ControlInValue", with("X: a\x01\r\n"), 400);
  add("SpaceBeforeColon", with("X : a\r\n"), 400);
  add("SpaceInName", with("X Y: a\r\n"), 400);
  add("NoColon", with("X\r\n"), 400);
  add("NoName", with(": a\r\n"), 400);
  add("HighByteInName", with("X\x80: a\r\n"), 400);
  add("SlashInName", with("X/Y: a\r\n"), 400);
  add("BraceInName", with("{X}: a\r\n"), 400);

  // The request line.
  add("NoVersion", line("GET /a"), 400);
  add("TwoSpaces", line("GET  /a HTTP/1.1"), 400);
  add("SpaceInTarget", line("GET /a b HTTP/1.1"), 400);
  add("TabInLine", line("GET\t/a\tHTTP/1.1"), 400);
  add("TrailingSpace", line("GET /a HTTP/1.1 "), 400);
  add("LowerCaseVersion", line("GET /a http/1.1"), 505);
  add("Version09", line("GET /a HTTP/0.9"), 505);
  add("Version12", line("GET /a HTTP/1.2"), 505);
  add("BadMethod", line("GE(T /a HTTP/1.1"), 400);
  add("ControlInTarget", line("GET /a\x01 HTTP/1.1"), 400);
  add("HighByteInTarget", line("GET /a\x80 HTTP/1.1"), 400);
  add("TlsHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s, 400);

  // Targets and hosts.
  add("AbsoluteForm", line("GET http://evil/a HTTP/1.1"), 400);
  add("AuthorityForm", line("CONNECT evil:443 HTTP/1.1"), 400);
  add("AsteriskForm", line("OPTIONS * HTTP/1.1"), 400);
  add("NoSlash", line("GET a HTTP/1.1"), 400);
  add("Fragment", line("GET /a#b HTTP/1.1"), 400);
  add("Backslash", line("GET /a\\b HTTP/1.1"), 400);
  add("DotDot", line("GET /model/../a HTTP/1.1"), 400);
  add("EncodedDotDot", line("GET /model/%2e%2E/a HTTP/1.1"), 400);
  add("DotDotParameters", line("GET /model/..;x/a HTTP/1.1"), 400);
  add("Dot", line("GET /./a HTTP/1.1"), 400);
  add("EmptySegment", line("GET /model//a HTTP/1.1"), 400);
  add("EncodedNul", line("POST /model/a%00b/converse HTTP/1.1"), 400);
  add("EncodedTwice", line("POST /model/a%252Fb/converse HTTP/1.1"), 400);
  add("BrokenEscape", line("POST /model/a%zz/converse HTTP/1.1"), 400);
  add("EncodedLineEnd", line("POST /model/a%0d%0ab/converse HTTP/1.1"), 400);
  add("NoHost", "GET /a HTTP/1.1\r\n\r\n", 400);
  add("TwoHosts", with("Host: b\r\n"), 400);

  // Connection headers that take away what is needed.
  for (const std::string nominated :
       {"authorization", "content-length", "content-type", "host", "x-amz-date",
        "amz-sdk-invocation-id", "x-api-key", "x-understudy-shadow", "close, Content-Length"}) {
    add("Nominates[" + nominated + "]", with("Connection: " + nominated + "\r\n"), 400);
  }

  // Expectations.
  add("OddExpectation", with("Expect: 200-ok\r\nContent-Length: 5\r\n"), 417);
  add("TwoCredentials", with("Authorization: a\r\nAuthorization: b\r\n"), 400);

  // Chunked coding.
  for (const std::string body :
       {"zz\r\n", "\r\n", "-1\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", " 1\r\na\r\n",
        "1\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1\r\na0\r\n\r\n", "1\r\na\n0\r\n\r\n",
        "0000000000001\r\na\r\n", "ffffffffffffffffff\r\n", "1;a\x01=b\r\na\r\n", "1;a\nb\r\na\r\n",
        "0\r\nX: a\n\r\n", "0\r\n\rX"}) {
    std::string name = "Chunks[";
    for (const char c : body) name += c >= ' ' && c < 0x7f ? std::string{c} : std::string{"~"};
    add(name + "]", chunks(body + kSmuggled), 400);
  }
  std::string overhead;
  for (int i = 0; i < 40; ++i) overhead += "1;" + std::string(4000, 'x') + "\r\na\r\n";
  add("ChunkOverhead", chunks(overhead), 400);
  std::string trailers = "1\r\na\r\n0\r\n";
  for (int i = 0; i < 5000; ++i) trailers += "x" + std::to_string(i) + ": 12345678901234567890\r\n";
  add("EndlessTrailers", chunks(trailers), 400);

  // Sizes.
  add("EndlessHead", "GET /" + std::string(200'000, 'a'), 431);
  add("LargeHead", with("X: " + std::string(40'000, 'a') + "\r\n"), 431);
  std::string many;
  for (int i = 0; i < 1500; ++i) many += "a:\r\n";
  add("ManyEmptyFields", with(many), 431);
  add("LongTarget", line("GET /" + std::string(9'000, 'a') + " HTTP/1.1"), 414);
  add("LargeBody", with("Content-Length: 999999999999\r\n", "abc"), 413);
  add("LargeChunk", chunks("ffffffffff\r\n" + std::string(100, 'a')), 413);
  return all;
}

// One upstream and one proxy for all: what one vector leaves behind would hurt the next.
TEST(Gate, RefusesWhatIsAmbiguousOnceAndCloses) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  for (const Vector& vector : vectors()) {
    SCOPED_TRACE(vector.name);
    RawClient client(proxy.port());
    client.send(vector.bytes);
    const Answer got = client.receive();
    EXPECT_EQ(got.status, vector.status) << got.field("x-understudy-error");
    EXPECT_EQ(got.end, Answer::End::complete);
    EXPECT_EQ(got.field("connection"), "close");
    EXPECT_FALSE(got.field("x-understudy-error").empty());
    EXPECT_TRUE(client.at_end()) << "one answer and no more: " << client.received();
    EXPECT_EQ(primary->connections(), 0U) << "the upstream heard of it";
    if (primary->connections() != 0) return;
  }
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).status, 200) << "and it serves on";
}

TEST(Gate, AnswersWhatCameBeforeAndRefusesWhatFollows) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  client.send(converse("good") + with("Transfer-Encoding: xchunked\r\n", kSmuggled));
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(client.receive().status, 501);
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(primary->count(), 1U);
}

TEST(Gate, PassesTheUnusualThatIsSound) {
  FakeBedrock primary(
      [](const FakeRequest& request, FakePeer& peer) { peer.send(answer(request.body)); });
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary.port()});
  RawClient client(proxy.port());
  for (const std::string& request :
       {"\r\n\r\n" + with("Content-Length: 5\r\n", "abcde"), with("content-length:5\r\n", "abcde"),
        with("CONTENT-LENGTH: \t 5\t \r\n", "abcde"), with("Content-Length: 005\r\n", "abcde"),
        chunks("5\r\nabcde\r\n0\r\n\r\n"), chunks("005;x=\"y\"\r\nabcde\r\n0\r\nX: y\r\n\r\n"),
        chunks("2\r\nab\r\n3\r\ncde\r\n000\r\n\r\n"),
        with("Transfer-Encoding: CHUNKED\r\n", "5\r\nabcde\r\n0\r\n\r\n"),
        with("X:\r\nY: \x80\xff\r\nContent-Length: 5\r\n", "abcde"),
        with("Connection: ,, keep-alive ,\r\nContent-Length: 5\r\n", "abcde")}) {
    const Answer got = client.ask(request);
    EXPECT_EQ(got.status, 200) << request.substr(0, 200);
    EXPECT_EQ(got.body, "abcde");
  }
}

TEST(Gate, DropsTrailersInsteadOfTrustingThem) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port()});
  RawClient client(proxy.port());
  client.ask(chunks("1\r\na\r\n0\r\nHost: evil\r\nAuthorization: evil\r\nx: evil\r\n\r\n"));
  EXPECT_EQ(primary->request(0).head.find("evil"), std::string::npos);
  EXPECT_EQ(primary->request(0).body, "a");
}

TEST(Gate, ServesOnlyTheHostsItIsTold) {
  auto primary = FakeBedrock::replies("{}");
  ProxyUnderTest proxy(ProxySetup{.primary_port = primary->port(),
                                  .listener_more = ", hosts: [proxy.test]",
                                  .top = "default_route: {upstream: primary}\n"});
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).status, 200);
  EXPECT_EQ(RawClient(proxy.port()).ask("GET /a HTTP/1.1\r\nHost: PROXY.test:80\r\n\r\n").status,
            200);
  EXPECT_EQ(RawClient(proxy.port()).ask("GET /a HTTP/1.1\r\nHost: evil\r\n\r\n").status, 421);
}

TEST(Gate, ConnectsOnlyWhereTheConfigSays) {
  auto primary = FakeBedrock::replies("{}");
  auto elsewhere = FakeBedrock::replies("stolen");
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = primary->port(), .top = "default_route: {upstream: primary}\n"});
  const std::string evil = "127.0.0.1:" + std::to_string(elsewhere->port());
  RawClient client(proxy.port());
  for (const std::string& request :
       {"GET /a HTTP/1.1\r\nHost: " + evil + "\r\n\r\n",
        with("X-Forwarded-Host: " + evil + "\r\nForwarded: host=" + evil + "\r\n"),
        line("POST /model/arn:aws:bedrock:" + evil + ":1:inference-profile/a/invoke HTTP/1.1"),
        line("GET /?url=http://" + evil + "/ HTTP/1.1")}) {
    EXPECT_EQ(client.ask(request).body, "{}");
  }
  EXPECT_EQ(elsewhere->connections(), 0U);
}

}  // namespace
}  // namespace understudy::testing_support
