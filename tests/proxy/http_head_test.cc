#include "proxy/http_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace understudy::proxy {
namespace {

using routing::Field;
using testing::ElementsAre;
using testing::IsEmpty;

std::string request(const std::string& fields, const std::string& line = "POST /a HTTP/1.1") {
  return line + "\r\nHost: h\r\n" + fields + "\r\n";
}

// The rule that refuses the head, or "" where it passes.
std::string rule_of(std::string_view head, const HeadLimits& limits = {}) {
  RequestHead out;
  const auto problem = scan_request_head(head, limits, out);
  return problem ? std::string{problem->rule} : "";
}

MATCHER_P2(FieldIs, name, value, "") {
  return arg.name == name && arg.value == value;
}

// --- Where a head ends
// ------------------------------------------------------------------------------------------------

TEST(FindHeadEnd, FindsTheEmptyLineHoweverTheBytesCome) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r\n\r\n";
  const std::size_t end = bytes.find("body");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    std::size_t searched = 0;
    std::size_t found = std::string_view::npos;
    for (std::size_t size = step; found == std::string_view::npos; size += step)
      found = find_head_end(std::string_view{bytes}.substr(0, size), searched);
    EXPECT_EQ(found, end) << "in steps of " << step;
  }
}

TEST(FindHeadEnd, FindsNoneWhereThereIsNone) {
  for (const char* bytes : {"", "\r", "\r\n", "\r\n\r", "a\r\nb\r\n", "a\n\nb", "\r\r\n\n"}) {
    std::size_t searched = 0;
    EXPECT_EQ(find_head_end(bytes, searched), std::string_view::npos);
  }
}

// --- Requests
// ---------------------------------------------------------------------------------------------------------

TEST(ScanRequestHead, NamesWhatTheProxyNeeds) {
  RequestHead head;
  const std::string bytes =
      "POST /model/a/converse?x=1 HTTP/1.1\r\nHost: example:80\r\nContent-Type:  text/json \r\n"
      "Authorization: Bearer t\r\nX-Api-Key: k\r\nAmz-Sdk-Invocation-Id: i\r\n"
      "X-Understudy-Family: f\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n";
  ASSERT_FALSE(scan_request_head(bytes, {}, head));
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/model/a/converse?x=1");
  EXPECT_EQ(head.host, "example:80");
  EXPECT_EQ(head.content_type, "text/json");
  EXPECT_EQ(head.authorization, "Bearer t");
  EXPECT_EQ(head.api_key, "k");
  EXPECT_EQ(head.invocation_id, "i");
  EXPECT_EQ(head.family, "f");
  EXPECT_EQ(head.framing, Framing::content_length);
  EXPECT_EQ(head.content_length, 12U);
  EXPECT_TRUE(head.expects_continue);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_THAT(head.fields, ElementsAre(FieldIs("Content-Type", "text/json"),
                                       FieldIs("Amz-Sdk-Invocation-Id", "i")));
}

TEST(ScanRequestHead, ForgetsTheRequestBefore) {
  RequestHead head;
  ASSERT_FALSE(scan_request_head(
      request("Content-Length: 5\r\nX: a\r\nAuthorization: b\r\nExpect: 100-continue\r\n"
              "Connection: close\r\n"),
      {}, head));
  ASSERT_FALSE(scan_request_head(request(""), {}, head));
  EXPECT_EQ(head.framing, Framing::none);
  EXPECT_THAT(head.fields, IsEmpty());
  EXPECT_EQ(head.authorization, "");
  EXPECT_FALSE(head.expects_continue);
  EXPECT_TRUE(head.keep_alive);
}

TEST(ScanRequestHead, KeepsEndToEndFieldsAndNoOthers) {
  RequestHead head;
  const std::string bytes = request(
      "A: 1\r\nTE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\nKeep-Alive: 5\r\n"
      "Proxy-Authorization: s\r\nProxy-Connection: close\r\nCookie: s\r\n"
      "Accept-Encoding: gzip\r\nX-Amz-Date: d\r\nX-AMZ-SECURITY-TOKEN: s\r\n"
      "Connection: keep-alive , B\r\nb: 2\r\nB: 3\r\nAccept: */*\r\nx-amzn-mine: 4\r\n"
      "te2: 5\r\nexpected: 6\r\n");
  ASSERT_FALSE(scan_request_head(bytes, {}, head));
  EXPECT_THAT(head.fields,
              ElementsAre(FieldIs("A", "1"), FieldIs("Accept", "*/*"), FieldIs("x-amzn-mine", "4"),
                          FieldIs("te2", "5"), FieldIs("expected", "6")));
}

TEST(ScanRequestHead, RefusesASecondListOfHopByHopFields) {
  RequestHead head;
  const std::string bytes = request("Connection: a\r\nConnection: b\r\na: 1\r\nb: 2\r\n");
  const auto problem = scan_request_head(bytes, {}, head);
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->rule, "connection");
}

TEST(ScanRequestHead, TellsWhetherTheConnectionStays) {
  const struct {
    const char* line;
    const char* fields;
    bool keep_alive;
  } rows[] = {{"GET / HTTP/1.1", "", true},
              {"GET / HTTP/1.1", "Connection: close\r\n", false},
              {"GET / HTTP/1.1", "Connection: CLOSE\r\n", false},
              {"GET / HTTP/1.1", "Connection: x, close , y\r\n", false},
              {"GET / HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
              {"GET / HTTP/1.0", "", false},
              {"GET / HTTP/1.0", "Connection: keep-alive\r\n", true},
              {"GET / HTTP/1.0", "Connection: keep-alive, close\r\n", false}};
  for (const auto& row : rows) {
    RequestHead head;
    const std::string bytes = request(row.fields, row.line);
    ASSERT_FALSE(scan_request_head(bytes, {}, head)) << bytes;
    EXPECT_EQ(head.keep_alive, row.keep_alive) << bytes;
  }
}

TEST(ScanRequestHead, RefusesWithARule) {
  using namespace std::string_literals;
  const struct {
    std::string head;
    const char* rule;
  } rows[] = {
      {request("", "GET /"), "request_line"},
      {request("", "GET  / HTTP/1.1"), "request_line"},
      {request("", "GET / x HTTP/1.1"), "request_line"},
      {request("", " / HTTP/1.1"), "request_line"},
      {request("", "G\"T / HTTP/1.1"), "request_line"},
      {request("", "GET /\x80 HTTP/1.1"), "request_line"},
      {request("", "GET / HTTP/1.1 "), "request_line"},
      {request("", "GET / HTTP/1.2"), "version"},
      {request("", "GET / HTTP/2"), "version"},
      {request("", "GET / http/1.1"), "version"},
      {request("", "GET / HTTP/1.11"), "version"},
      {"GET / HTTP/1.1\r\n\r\n", "host"},
      {request("Host: other\r\n"), "host"},
      {request("A\r\n"), "header_line"},
      {request(": a\r\n"), "header_line"},
      {request(" A: b\r\n"), "header_name"},
      {request("\tA: b\r\n"), "header_name"},
      {request("A : b\r\n"), "header_name"},
      {request("A\0: b\r\n"s), "header_name"},
      {request("\xc3\xa4: b\r\n"), "header_name"},
      {request("Content_Length: 0\r\n"), "header_name"},
      {request("Transfer_Encoding: chunked\r\n"), "header_name"},
      {request("x-a_name-that-is-longer-than-sixteen: b\r\n"), "header_name"},
      {request("x-amz-dropped_anyway: b\r\n"), "header_name"},
      {request("A: b\0c\r\n"s), "header_value"},
      {request("A: b\x7f\r\n"), "header_value"},
      {request("A: b\rc\r\n"), "header_value"},
      {request("A: b\nC: d\r\n"), "line_end"},
      {request("Content-Length: 5\r\nContent-Length: 5\r\n"), "content_length"},
      {request("Content-Length: 5, 5\r\n"), "content_length"},
      {request("Content-Length: +5\r\n"), "content_length"},
      {request("Content-Length:\r\n"), "content_length"},
      {request("Content-Length: 1234567890123\r\n"), "content_length"},
      {request("Transfer-Encoding: gzip\r\n"), "transfer_encoding"},
      {request("Transfer-Encoding:\r\n"), "transfer_encoding"},
      {request("Transfer-Encoding: chunked, chunked\r\n"), "transfer_encoding"},
      {request("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
       "transfer_encoding"},
      {request("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), "framing"},
      {request("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), "framing"},
      {request("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0"), "framing"},
      {request("Expect: tea\r\n"), "expect"},
      {request("Authorization: a\r\nAuthorization: b\r\n"), "authorization"},
      {request("Connection: content-length\r\n"), "connection"},
      {request("Connection: X-Amz-Date\r\n"), "connection"},
      {request("Connection: close, host\r\n"), "connection"},
      {request("Connection: x-understudy-shadow\r\n"), "connection"},
  };
  for (const auto& row : rows) EXPECT_EQ(rule_of(row.head), row.rule) << row.head;
}

TEST(ScanRequestHead, CountsFieldsAndMeasuresTheTarget) {
  const HeadLimits limits{.max_fields = 3, .max_target_bytes = 5};
  EXPECT_EQ(rule_of(request("A: 1\r\nB: 2\r\n", "GET /1234 HTTP/1.1"), limits), "");
  EXPECT_EQ(rule_of(request("A: 1\r\nB: 2\r\nC: 3\r\n", "GET /1234 HTTP/1.1"), limits),
            "max_header_fields");
  EXPECT_EQ(rule_of(request("", "GET /12345 HTTP/1.1"), limits), "max_target_bytes");
}

TEST(ScanRequestHead, ReadsTheLargestLengthThatItTakes) {
  RequestHead head;
  ASSERT_FALSE(scan_request_head(request("Content-Length: 999999999999\r\n"), {}, head));
  EXPECT_EQ(head.content_length, 999'999'999'999U);
}

TEST(ScanRequestHead, NeedsNoHostInHttp10) {
  EXPECT_EQ(rule_of("GET / HTTP/1.0\r\n\r\n"), "");
}

// Any head cut anywhere is refused or a shorter head, never read past its end (the sanitizer
// looks).
TEST(ScanRequestHead, SurvivesEveryCut) {
  const std::string whole = request("A: b\r\nContent-Length: 5\r\nConnection: A, close\r\n");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut(whole.data(), size);
    EXPECT_NE(rule_of(cut), "") << cut;
  }
}

// --- Responses
// --------------------------------------------------------------------------------------------------------

struct Framed {
  const char* head;
  bool to_head;
  Framing framing;
  std::uint64_t length;
  bool keep_alive;
};

// What is copied in one piece must be what would have been written field by field.
TEST(AppendFields, WritesEveryFieldTheSameHoweverItStoodInItsHead) {
  const std::string head =
      "POST / HTTP/1.1\r\nhost: a\r\nuser-agent: one two\r\naccept: */*\r\n"
      "x-tight:value\r\nx-wide:   value  \r\nx-tab:\tvalue\r\nx-after: 1 \r\nx-empty:\r\n"
      "x-blank: \r\ncookie: dropped\r\nx-behind: 2\r\nX-Last: 3\r\n\r\n";
  RequestHead parsed;
  ASSERT_FALSE(scan_request_head(head, {}, parsed));
  ASSERT_EQ(parsed.fields.size(), 10U);
  std::string one_by_one, together;
  for (const auto& field : parsed.fields) append_field(one_by_one, field.name, field.value);
  append_fields(together, parsed.fields);
  EXPECT_EQ(together, one_by_one);
}

TEST(ScanResponseHead, TellsHowTheBodyEnds) {
  const Framed rows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", false, Framing::content_length, 7, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, Framing::chunked, 0, true},
      {"HTTP/1.1 200 OK\r\n\r\n", false, Framing::until_close, 0, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, Framing::none, 0, true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true, Framing::none, 7, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, Framing::none, 0, true},
      {"HTTP/1.1 204 No Content\r\n\r\n", false, Framing::none, 0, true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false, Framing::none, 7, true},
      {"HTTP/1.1 100 Continue\r\n\r\n", false, Framing::none, 0, true},
      {"HTTP/1.1 200\r\nContent-Length: 1\r\nConnection: close\r\n\r\n", false,
       Framing::content_length, 1, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", false, Framing::content_length, 1, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", false,
       Framing::content_length, 1, true},
  };
  for (const Framed& row : rows) {
    ResponseHead head;
    ASSERT_FALSE(scan_response_head(row.head, {}, row.to_head, head)) << row.head;
    EXPECT_EQ(head.framing, row.framing) << row.head;
    EXPECT_EQ(head.content_length, row.length) << row.head;
    EXPECT_EQ(head.keep_alive, row.keep_alive) << row.head;
  }
}

TEST(ScanResponseHead, KeepsWhatGoesOnToTheClient) {
  ResponseHead head;
  ASSERT_FALSE(scan_response_head(
      "HTTP/1.1 429 Too Many Requests\r\nX-Amzn-RequestId: 1\r\nConnection: X-Hop, close\r\n"
      "X-Hop: 2\r\nKeep-Alive: 3\r\nSet-Cookie: 4\r\nContent-Length: 0\r\nRetry-After: 5\r\n\r\n",
      {}, false, head));
  EXPECT_EQ(head.status, 429);
  EXPECT_EQ(head.reason, "Too Many Requests");
  EXPECT_THAT(head.fields, ElementsAre(FieldIs("X-Amzn-RequestId", "1"), FieldIs("Set-Cookie", "4"),
                                       FieldIs("Retry-After", "5")));
}

// An answer's names are read by clients alone, whom H5 does not fool.
TEST(ScanResponseHead, TakesAnUnderscoreInAName) {
  ResponseHead head;
  ASSERT_FALSE(scan_response_head("HTTP/1.1 200 OK\r\nX_Y: 1\r\n\r\n", {}, false, head));
  EXPECT_THAT(head.fields, ElementsAre(FieldIs("X_Y", "1")));
}

TEST(ScanResponseHead, RefusesWhatIsNoAnswer) {
  using namespace std::string_literals;
  for (const std::string& head :
       {"HTTP/2 200 OK\r\n\r\n"s, "HTTP/1.2 200 OK\r\n\r\n"s, "HTTP/1.1 20 OK\r\n\r\n"s,
        "HTTP/1.1 2000 OK\r\n\r\n"s, "HTTP/1.1 099 OK\r\n\r\n"s, "HTTP/1.1 20x OK\r\n\r\n"s,
        "HTTP/1.1  200 OK\r\n\r\n"s, "ICY 200 OK\r\n\r\n"s, "HTTP/1.1 200 O\0K\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nA\r\n\r\n"s, "HTTP/1.1 200 OK\r\n A: b\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n"s, "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"s, "HTTP/1.1 200 OK\n\n"s, ""s}) {
    ResponseHead out;
    EXPECT_TRUE(scan_response_head(head, {}, false, out)) << head;
  }
}

}  // namespace
}  // namespace understudy::proxy
