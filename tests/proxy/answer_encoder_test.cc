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

class AnswerEncoderTest : public testing::Test {
 protected:
  TextPool texts;
  AnswerEncoder answer{texts};
};

TEST_F(AnswerEncoderTest, WritesAHeadAndItsBodyAsTheyAreWhereTheLengthIsKnown) {
  const std::array fields{Field{"Content-Type", "application/json"}};
  const std::array ours{Field{"x-understudy-route", "chat"}};
  EXPECT_TRUE(answer.begin(
      {.status = 200, .reason = "Fine", .fields = fields, .added = ours, .content_length = 5}, {}));
  const std::array<std::string_view, 2> pieces{"ab", "cde"};
  answer.add(pieces, true);
  EXPECT_EQ(joined(answer),
            "HTTP/1.1 200 Fine\r\nContent-Type: application/json\r\nx-understudy-route: chat\r\n"
            "content-length: 5\r\n\r\nabcde");
}

TEST_F(AnswerEncoderTest, MakesOneChunkOfWhatCameTogetherWhereTheLengthIsUnknown) {
  EXPECT_TRUE(answer.begin({.status = 200, .reason = "OK", .content_length = {}}, {}));
  EXPECT_EQ(joined(answer), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  EXPECT_EQ(added(answer, std::string(26, 'x'), false), "1a\r\n" + std::string(26, 'x') + "\r\n");
  EXPECT_EQ(added(answer, "end", true), "3\r\nend\r\n0\r\n\r\n");
}

TEST_F(AnswerEncoderTest, MakesOneBufferOfWhatIsSmallAndCopiesNothingOfWhatIsNot) {
  answer.begin({.status = 200, .reason = "OK", .content_length = {}}, {});
  const std::string small(100, 's');
  const std::array few{std::string_view{small}, std::string_view{small}};
  answer.add(few, false);
  EXPECT_EQ(answer.buffers().size(), 1u) << "head, chunk line, two pieces and their end";
  answer.written();
  answer.add(few, false);
  EXPECT_EQ(joined(answer), "c8\r\n" + small + small + "\r\n") << "the head does not come again";
  EXPECT_EQ(answer.buffers().size(), 1u);

  const std::string large(100'000, 'l');
  EXPECT_EQ(added(answer, large, true), "186a0\r\n" + large + "\r\n0\r\n\r\n");
  ASSERT_EQ(answer.buffers().size(), 3u);
  EXPECT_EQ(answer.buffers()[1].data(), large.data());
}

TEST_F(AnswerEncoderTest, KeepsTheOrderOfSmallAndLargeInOneWrite) {
  const std::string large(10'000, 'l');
  answer.begin({.status = 200, .content_length = 10'010}, {});
  for (const std::string_view piece :
       {std::string_view{"small"}, std::string_view{large}, std::string_view{"small"}})
    answer.add(std::array{piece}, false);
  const std::string bytes = joined(answer);
  EXPECT_EQ(bytes.substr(bytes.find("\r\n\r\n") + 4), "small" + large + "small");
}

TEST_F(AnswerEncoderTest, SaysWhatFollowsALargePieceThatWentAlone) {
  const std::string large(10'000, 'l');
  answer.begin({.status = 200, .content_length = 10'005}, {});
  answer.written();
  answer.add(std::array{std::string_view{large}}, false);
  answer.add(std::array{std::string_view{"small"}}, true);
  EXPECT_EQ(joined(answer), large + "small");
}

TEST_F(AnswerEncoderTest, HoldsNoTextOnceItIsWritten) {
  const auto room_of = [this] {
    const std::string next = texts.take();
    return next.capacity();
  };
  EXPECT_LT(room_of(), 1'000u);
  const std::string body(2'000, 'b');
  answer.begin({.status = 200, .content_length = body.size()}, {});
  answer.add(std::array{std::string_view{body}}, true);
  EXPECT_LT(room_of(), 1'000u) << "it is being written";
  answer.written();
  EXPECT_GE(room_of(), body.size()) << "whoever is next writes in the same memory";
  answer.release();
  EXPECT_LT(room_of(), 1'000u) << "given back once";
}

TEST_F(AnswerEncoderTest, EndsAChunkedBodyBehindWhichNothingCame) {
  answer.begin({.status = 200, .reason = "OK", .content_length = {}}, {});
  EXPECT_EQ(added(answer, "", false), "") << "an empty chunk would end the body";
  EXPECT_EQ(added(answer, "", true), "0\r\n\r\n");
}

TEST_F(AnswerEncoderTest, EndsTheConnectionWhereHttp10KnowsNoOtherEnd) {
  EXPECT_FALSE(answer.begin({.status = 200, .reason = "OK", .content_length = {}},
                            {.http_1_0 = true, .keep_alive = true}));
  EXPECT_EQ(joined(answer), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(added(answer, "as it is", true), "as it is");
}

TEST_F(AnswerEncoderTest, TellsAClientOfHttp10ThatTheConnectionStays) {
  EXPECT_TRUE(answer.begin({.status = 200, .reason = "OK", .content_length = 0},
                           {.http_1_0 = true, .keep_alive = true}));
  EXPECT_EQ(joined(answer),
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n");
}

TEST_F(AnswerEncoderTest, SendsNoBodyWhereNoneMayStand) {
  answer.begin({.status = 200, .reason = "OK", .content_length = 7, .has_body = false}, {});
  EXPECT_EQ(joined(answer), "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
  EXPECT_EQ(added(answer, "unasked", true), "");
  answer.begin({.status = 204, .content_length = 0, .has_body = false}, {});
  EXPECT_EQ(joined(answer), "HTTP/1.1 204 \r\n\r\n") << "RFC 9110 8.6: no length there";
}

TEST_F(AnswerEncoderTest, NamesTheStatusWhereTheUpstreamDidNot) {
  answer.begin({.status = 502, .content_length = 0}, {.keep_alive = false});
  EXPECT_EQ(joined(answer),
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

}  // namespace
}  // namespace understudy::proxy
