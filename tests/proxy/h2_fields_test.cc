#include "proxy/h2_fields.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace understudy::proxy {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

class H2Fields : public testing::Test {
 protected:
  // The head, or the rule that refuses it.
  std::string write(const Fields& fields) {
    H2RequestFields request;
    for (const auto& [name, value] : fields) EXPECT_TRUE(request.add(name, value, limits_));
    metrics::Block head;
    if (const auto problem = request.finish(blocks_, head)) return std::string{problem->rule};
    return std::string{head.view()};
  }
  static Fields request(const Fields& more = {}) {
    Fields fields{{":method", "POST"}, {":scheme", "https"}, {":path", "/a?b"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }

  metrics::BlockPool blocks_;
  H2RequestFields::Limits limits_;
};

TEST_F(H2Fields, AreWrittenAsTheHeadOfTheSameRequest) {
  EXPECT_EQ(write(request({{":authority", "a:1"}, {"x-one", "1"}, {"x-empty", ""}})),
            "POST /a?b HTTP/1.1\r\nhost: a:1\r\nx-one: 1\r\nx-empty: \r\n\r\n");
  EXPECT_EQ(write(request({{"host", "b"}})), "POST /a?b HTTP/1.1\r\nhost: b\r\n\r\n");
}

TEST_F(H2Fields, NameTheSameHostOnceWhereBothAreThere) {
  EXPECT_EQ(write(request({{":authority", "Name"}, {"host", "name"}})),
            "POST /a?b HTTP/1.1\r\nhost: Name\r\n\r\n");
  EXPECT_EQ(write(request({{":authority", "a"}, {"host", "b"}})), "host");
  EXPECT_EQ(write(request({{":authority", "a"}, {"host", ""}})), "host");
  EXPECT_EQ(write(request({{"host", ""}})), "host");
  EXPECT_EQ(write(request({{"host", "a"}, {"host", "a"}})), "host");
}

TEST_F(H2Fields, KeepNothingThatCouldBeginAnotherLine) {
  for (const std::string bad : {"a\rb", "a\nb", "\r\n", "\x01", "\x7f"}) {
    EXPECT_EQ(write(request({{"x", bad}})), "header_value") << bad;
    EXPECT_EQ(write(request({{"x" + bad, "1"}})), "header_name") << bad;
    EXPECT_EQ(write({{":method", "GET" + bad}, {":scheme", "http"}, {":path", "/"}}),
              "pseudo_header");
    EXPECT_EQ(write({{":method", "GET"}, {":scheme", "http"}, {":path", "/" + bad}}),
              "pseudo_header");
    EXPECT_EQ(write(request({{":authority", "a" + bad}})), "pseudo_header");
  }
  for (const std::string name :
       {"", "X", "a b", "a:b", "a\x80", "transfer-encoding ", "content_length", "x_y", "_"})
    EXPECT_EQ(write(request({{name, "1"}})), "header_name") << name;
}

TEST_F(H2Fields, HaveNoHopByHopFields) {
  for (const std::string name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
    EXPECT_EQ(write(request({{name, "x"}})), "connection") << name;
  EXPECT_EQ(write(request({{"te", "gzip"}})), "connection");
  EXPECT_EQ(write(request({{"te", "trailers"}})), "POST /a?b HTTP/1.1\r\nte: trailers\r\n\r\n");
}

TEST_F(H2Fields, NeedTheirPseudoFieldsOnce) {
  EXPECT_EQ(write({{":method", "GET"}, {":scheme", "http"}}), "pseudo_header");
  EXPECT_EQ(write({{":method", "GET"}, {":path", "/"}}), "pseudo_header");
  EXPECT_EQ(write({{":scheme", "http"}, {":path", "/"}}), "pseudo_header");
  EXPECT_EQ(write({{":method", "GET"}, {":scheme", "ftp"}, {":path", "/"}}), "pseudo_header");
  EXPECT_EQ(write(request({{":path", "/b"}})), "pseudo_header");
  EXPECT_EQ(write(request({{":protocol", "websocket"}})), "pseudo_header");
  EXPECT_EQ(write({{":method", "CONNECT"}, {":authority", "a:1"}}), "target");
}

TEST_F(H2Fields, AreCountedDecoded) {
  limits_ = {.max_bytes = 500, .max_fields = 5};
  Fields fields = request({{":authority", "a"}});
  for (int i = 0; i < 5; ++i) fields.emplace_back("x", "");
  EXPECT_NE(write(fields), "max_header_fields");
  fields.emplace_back("x", "");
  EXPECT_EQ(write(fields), "max_header_fields");
  EXPECT_EQ(write(request({{"x", std::string(500, 'a')}})), "max_header_bytes");
}

TEST_F(H2Fields, FarBeyondTheLimitsAreNotReadOn) {
  limits_ = {.max_bytes = 1 << 20, .max_fields = 5};
  H2RequestFields many;
  int added = 0;
  while (many.add("x", "", limits_)) ++added;
  EXPECT_EQ(added, 20);
  EXPECT_EQ(many.problem()->rule, "max_header_fields");
  limits_ = {.max_bytes = 100, .max_fields = 1'000};
  H2RequestFields large;
  EXPECT_TRUE(large.add("x", std::string(300, 'a'), limits_));
  EXPECT_FALSE(large.add("x", std::string(300, 'a'), limits_));
  EXPECT_EQ(large.problem()->rule, "max_header_bytes");
}

TEST_F(H2Fields, ThatTheLibraryRefusedRefuseTheRequest) {
  H2RequestFields fields;
  for (const auto& [name, value] : request({{":authority", "a"}})) fields.add(name, value, limits_);
  fields.refuse();
  metrics::Block head;
  const auto problem = fields.finish(blocks_, head);
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->status, 400);
}

}  // namespace
}  // namespace understudy::proxy
