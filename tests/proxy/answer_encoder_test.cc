#include "proxy/answer_encoder.h"

#include <gtest/gtest.h>

namespace understudy::proxy {
namespace {

using routing::Field;
using Connection = AnswerEncoder::Connection;

std::string joined(const AnswerEncoder& answer) {
  std::string bytes;
  for (const auto& buffer : answer.buffers())
    bytes.append(static_cast<const char*>(buffer.data()), buffer.size());
  return bytes;
}

std::string added(AnswerEncoder& answer, std::string_view piece, bool last) {
  answer.written();
  const std::array pieces{piece};
  answer.add(pieces, last);
  return joined(answer);
}

TEST(AnswerEncoder, WritesAHeadAndItsBodyAsTheyAreWhereTheLengthIsKnown) {
  const std::array fields{Field{"Content-Type", "application/json"}};
  const std::array ours{Field{"x-understudy-route", "chat"}};
  AnswerEncoder answer;
  EXPECT_TRUE(answer.begin(
      {.status = 200, .reason = "Fine", .fields = fields, .added = ours, .content_length = 5}, {}));
  const std::array<std::string_view, 2> pieces{"ab", "cde"};
  answer.add(pieces, true);
  EXPECT_EQ(joined(answer),
            "HTTP/1.1 200 Fine\r\nContent-Type: application/json\r\nx-understudy-route: chat\r\n"
            "content-length: 5\r\n\r\nabcde");
}

TEST(AnswerEncoder, MakesOneChunkOfWhatCameTogetherWhereTheLengthIsUnknown) {
  AnswerEncoder answer;
  EXPECT_TRUE(answer.begin({.status = 200, .reason = "OK", .content_length = {}}, {}));
  EXPECT_EQ(joined(answer), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  EXPECT_EQ(added(answer, std::string(26, 'x'), false), "1a\r\n" + std::string(26, 'x') + "\r\n");
  EXPECT_EQ(added(answer, "end", true), "3\r\nend\r\n0\r\n\r\n");
}

TEST(AnswerEncoder, EndsAChunkedBodyBehindWhichNothingCame) {
  AnswerEncoder answer;
  answer.begin({.status = 200, .reason = "OK", .content_length = {}}, {});
  EXPECT_EQ(added(answer, "", false), "") << "an empty chunk would end the body";
  EXPECT_EQ(added(answer, "", true), "0\r\n\r\n");
}

TEST(AnswerEncoder, EndsTheConnectionWhereHttp10KnowsNoOtherEnd) {
  AnswerEncoder answer;
  EXPECT_FALSE(answer.begin({.status = 200, .reason = "OK", .content_length = {}},
                            {.http_1_0 = true, .keep_alive = true}));
  EXPECT_EQ(joined(answer), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(added(answer, "as it is", true), "as it is");
}

TEST(AnswerEncoder, TellsAClientOfHttp10ThatTheConnectionStays) {
  AnswerEncoder answer;
  EXPECT_TRUE(answer.begin({.status = 200, .reason = "OK", .content_length = 0},
                           {.http_1_0 = true, .keep_alive = true}));
  EXPECT_EQ(joined(answer),
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n");
}

TEST(AnswerEncoder, SendsNoBodyWhereNoneMayStand) {
  AnswerEncoder answer;
  answer.begin({.status = 200, .reason = "OK", .content_length = 7, .has_body = false}, {});
  EXPECT_EQ(joined(answer), "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
  EXPECT_EQ(added(answer, "unasked", true), "");
  answer.begin({.status = 204, .content_length = 0, .has_body = false}, {});
  EXPECT_EQ(joined(answer), "HTTP/1.1 204 \r\n\r\n") << "RFC 9110 8.6: no length there";
}

TEST(AnswerEncoder, NamesTheStatusWhereTheUpstreamDidNot) {
  AnswerEncoder answer;
  answer.begin({.status = 502, .content_length = 0}, {.keep_alive = false});
  EXPECT_EQ(joined(answer),
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

}  // namespace
}  // namespace understudy::proxy
