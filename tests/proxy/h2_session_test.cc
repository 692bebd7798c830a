// The session alone, frame by frame: what it tells and what it wants sent.

#include "proxy/h2_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "tests/support/h2_frames.h"

namespace understudy::proxy {
namespace {

namespace h2 = testing_support::h2;
using namespace std::chrono_literals;
using Kind = H2Session::Event::Kind;
using testing::ElementsAre;

class H2SessionTest : public testing::Test {
 protected:
  H2SessionTest() { bodies_.allow(limits_.max_buffered_body_bytes); }
  void receive(const std::string& bytes) { session_.receive(bytes, now_); }
  void greet() {
    receive(std::string{h2::kPreface} + h2::settings());
    send();
    receive(h2::frame(h2::kSettings, h2::kAck, 0, ""));
  }

  // One write: its frames.
  std::vector<h2::Frame> send() {
    H2Output output;
    session_.collect(output, now_);
    std::string bytes;
    output.for_each_piece([&](const char* data, std::size_t size) { bytes.append(data, size); });
    session_.sent(output);
    std::vector<h2::Frame> frames;
    while (auto frame = h2::take_frame(bytes)) frames.push_back(std::move(*frame));
    EXPECT_TRUE(bytes.empty());
    return frames;
  }
  std::vector<std::uint8_t> types(const std::vector<h2::Frame>& frames) {
    std::vector<std::uint8_t> all;
    for (const auto& frame : frames) all.push_back(frame.type);
    return all;
  }
  std::vector<Kind> kinds() {
    std::vector<Kind> all;
    for (const auto& event : session_.take_events()) all.push_back(event.kind);
    return all;
  }
  H2Stream& stream(std::int32_t id) { return *session_.find(id); }
  void answer(std::int32_t id, std::string_view body, bool last) {
    const std::array parts{body};
    session_.answer(stream(id), AnswerHead{}, parts, last);
  }

  routing::LimitsConfig limits_;
  metrics::BlockPool blocks_;
  BodyBudget bodies_;
  H2Session::TimePoint now_{1h};
  H2Session session_{limits_, blocks_, bodies_, now_};
};

TEST_F(H2SessionTest, GreetsWithItsLimits) {
  const auto frames = send();
  EXPECT_THAT(types(frames), ElementsAre(h2::kSettings, h2::kWindowUpdate));
  EXPECT_EQ(frames[1].number(0), limits_.http2.connection_window_bytes - 65'535);
  EXPECT_FALSE(session_.greeted());
  greet();
  EXPECT_TRUE(session_.greeted());
}

TEST_F(H2SessionTest, TellsOfARequestAndItsBody) {
  greet();
  receive(h2::headers(1, h2::post_fields("/a"), false));
  EXPECT_THAT(kinds(), ElementsAre(Kind::head));
  EXPECT_EQ(stream(1).head.view(), "POST /a HTTP/1.1\r\nhost: localhost\r\n\r\n");
  receive(h2::data(1, "one", false) + h2::data(1, "two", false));
  EXPECT_THAT(kinds(), ElementsAre(Kind::progress));
  receive(h2::data(1, "three"));
  EXPECT_THAT(kinds(), ElementsAre(Kind::progress, Kind::complete));
  EXPECT_EQ(stream(1).body.view(), "onetwothree");
}

TEST_F(H2SessionTest, TakesBytesOneByOne) {
  const std::string all =
      std::string{h2::kPreface} + h2::settings() + h2::post(1, "/a", "body", {{"x", "y"}});
  for (const char byte : all) receive({byte});
  EXPECT_EQ(kinds().back(), Kind::complete);
  EXPECT_EQ(stream(1).body.view(), "body");
}

TEST_F(H2SessionTest, PutsHeadAndBodyOfAnAnswerIntoOneWrite) {
  greet();
  receive(h2::post(1, "/a", ""));
  send();
  answer(1, "hello", true);
  EXPECT_TRUE(stream(1).sending());
  const auto frames = send();
  EXPECT_THAT(types(frames), ElementsAre(h2::kHeaders, h2::kData));
  EXPECT_TRUE(frames[1].has(h2::kEndStream));
  EXPECT_TRUE(stream(1).answer_ended);
  EXPECT_FALSE(stream(1).sending());
  session_.release(1);
  EXPECT_EQ(session_.open_streams(), 0u);
}

TEST_F(H2SessionTest, RefersToLargePartsWhereTheyLie) {
  greet();
  receive(h2::post(1, "/a", ""));
  send();
  const std::string body(10'000, 'x');
  answer(1, body, false);
  H2Output output;
  session_.collect(output, now_);
  bool referred = false;
  output.for_each_piece([&](const char* data, std::size_t) { referred |= data == body.data(); });
  EXPECT_TRUE(referred);
  EXPECT_TRUE(stream(1).in_flight);
  session_.sent(output);
  EXPECT_FALSE(stream(1).in_flight);
}

TEST_F(H2SessionTest, SendsNoMoreThanTheClientsWindow) {
  greet();
  receive(h2::post(1, "/a", ""));
  send();
  const std::string body(100'000, 'x');
  answer(1, body, true);
  std::size_t sent = 0;
  for (const auto& frame : send()) sent += frame.is(h2::kData) ? frame.payload.size() : 0;
  EXPECT_EQ(sent, 65'535u);
  EXPECT_TRUE(stream(1).sending());
  EXPECT_TRUE(send().empty());
  receive(h2::window_update(1, 50'000) + h2::window_update(0, 50'000));
  for (const auto& frame : send()) sent += frame.is(h2::kData) ? frame.payload.size() : 0;
  EXPECT_EQ(sent, body.size());
  EXPECT_FALSE(stream(1).sending());
}

TEST_F(H2SessionTest, MakesAWriteOfABoundedSize) {
  receive(std::string{h2::kPreface} + h2::settings({{h2::kInitialWindow, 0x7FFF'FFFF}}) +
          h2::window_update(0, 0x7000'0000));
  receive(h2::post(1, "/a", ""));
  send();
  const std::string body(10u << 20, 'x');
  answer(1, body, true);
  H2Output output;
  session_.collect(output, now_);
  std::size_t size = 0;
  output.for_each_piece([&](const char*, std::size_t bytes) { size += bytes; });
  EXPECT_GE(size, H2Output::kEnough);
  EXPECT_LE(size, H2Output::kEnough + (32u << 10));
}

TEST_F(H2SessionTest, GivesTheClientItsWindowBackAsTheBodyIsTaken) {
  greet();
  receive(h2::headers(1, h2::post_fields("/a"), false));
  send();
  const std::string piece(16'384, 'x');
  for (std::size_t sent = 0; sent < limits_.http2.stream_window_bytes; sent += piece.size())
    receive(h2::data(1, piece, false));
  EXPECT_THAT(types(send()), testing::Contains(h2::kWindowUpdate));
}

TEST_F(H2SessionTest, StopsAtABodyThatIsTooLarge) {
  limits_.max_body_bytes = 10;
  greet();
  receive(h2::headers(1, h2::post_fields("/a"), false) + h2::data(1, "0123456789", false));
  EXPECT_THAT(kinds(), ElementsAre(Kind::head));
  receive(h2::data(1, "0", false) + h2::data(1, "1", false));
  EXPECT_THAT(kinds(), ElementsAre(Kind::too_large));
  EXPECT_EQ(stream(1).body.size(), 0u);
}

TEST_F(H2SessionTest, RefusesABodyThatFindsNoRoomAmongAll) {
  bodies_.allow(2 * BodyBudget::kStep);
  const std::string piece(BodyBudget::kStep, 'x');
  greet();
  receive(h2::headers(1, h2::post_fields("/a"), false) + h2::data(1, piece, false));
  receive(h2::headers(3, h2::post_fields("/a"), false) + h2::data(3, piece, false));
  EXPECT_EQ(bodies_.held(), 2 * BodyBudget::kStep);
  kinds();
  receive(h2::data(3, piece, false) + h2::data(3, piece, false));
  EXPECT_THAT(kinds(), ElementsAre(Kind::no_room));
  EXPECT_EQ(stream(3).body.size(), 0u);
  EXPECT_EQ(bodies_.held(), BodyBudget::kStep);
  receive(h2::data(1, piece, true));
  EXPECT_THAT(kinds(), ElementsAre(Kind::progress, Kind::complete));
}

TEST_F(H2SessionTest, ResetsTheRestOfARequestOnlyBehindItsWholeAnswer) {
  greet();
  receive(h2::headers(1, h2::post_fields("/a"), false));
  send();
  answer(1, "no", true);
  const auto frames = send();
  EXPECT_THAT(types(frames), ElementsAre(h2::kHeaders, h2::kData, h2::kReset));
  EXPECT_EQ(frames[2].number(0), h2::kNoError);
}

TEST_F(H2SessionTest, CutsWithAnError) {
  greet();
  receive(h2::post(1, "/a", ""));
  send();
  answer(1, "half", false);
  send();
  session_.cut(stream(1));
  const auto frames = send();
  EXPECT_THAT(types(frames), ElementsAre(h2::kReset));
  EXPECT_EQ(frames[0].number(0), h2::kInternalError);
  EXPECT_EQ(kinds().back(), Kind::gone);
}

TEST_F(H2SessionTest, KeepsWhatAWriteRefersToUntilItIsOver) {
  greet();
  receive(h2::post(1, "/a", ""));
  send();
  const std::string body(10'000, 'x');
  answer(1, body, false);
  H2Output output;
  session_.collect(output, now_);
  receive(h2::reset(1));
  EXPECT_EQ(kinds().back(), Kind::gone);
  ASSERT_NE(session_.find(1), nullptr);
  EXPECT_TRUE(stream(1).in_flight);
  session_.release(1);
  EXPECT_NE(session_.find(1), nullptr);
  session_.sent(output);
  EXPECT_EQ(session_.find(1), nullptr);
}

TEST_F(H2SessionTest, ForgetsStreamsThatNobodyWasToldOf) {
  greet();
  receive(h2::frame(h2::kHeaders, h2::kNone, 1, "") +
          h2::frame(h2::kContinuation, h2::kEndHeaders, 1, h2::block({{"connection", "x"}})));
  send();
  EXPECT_EQ(session_.open_streams(), 0u);
  EXPECT_THAT(kinds(), ElementsAre(Kind::malformed));
}

TEST_F(H2SessionTest, AnnouncesItsEndAndThenEnds) {
  greet();
  send();
  session_.announce_end();
  auto frames = send();
  EXPECT_THAT(types(frames), testing::UnorderedElementsAre(h2::kGoaway, h2::kPing));
  receive(h2::frame(h2::kPing, h2::kAck, 0, std::string(8, '\0')));
  EXPECT_THAT(kinds(), ElementsAre(Kind::round_trip));
  EXPECT_FALSE(session_.finished());
  session_.end_gently();
  EXPECT_THAT(types(send()), ElementsAre(h2::kGoaway));
  EXPECT_TRUE(session_.finished());
}

TEST_F(H2SessionTest, EndsAfterTheLastStreamWhereTheClientSaidGoaway) {
  greet();
  receive(h2::post(1, "/a", "") + h2::goaway(0));
  send();
  EXPECT_FALSE(session_.finished());
  answer(1, "whole", true);
  EXPECT_THAT(types(send()), ElementsAre(h2::kHeaders, h2::kData));
  EXPECT_TRUE(session_.finished());
}

TEST_F(H2SessionTest, NamesTheLimitThatAFloodBroke) {
  greet();
  send();
  std::string pings;
  for (int i = 0; i < 100; ++i) pings += h2::ping();
  receive(pings);
  EXPECT_EQ(session_.take_broken_limit(), "pings");
  EXPECT_EQ(session_.take_broken_limit(), "");
  const auto frames = send();
  EXPECT_EQ(frames.back().type, h2::kGoaway);
  EXPECT_EQ(frames.back().number(4), h2::kEnhanceYourCalm);
  EXPECT_TRUE(session_.finished());
}

TEST_F(H2SessionTest, EndsWithWhoeverDoesNotSpeakIt) {
  receive("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
  EXPECT_THAT(kinds(), ElementsAre(Kind::malformed));
  send();
  EXPECT_TRUE(session_.finished());
}

TEST_F(H2SessionTest, LetsGoOfEverythingWhenTheConnectionIsLost) {
  greet();
  receive(h2::post(1, "/a", "") + h2::headers(3, h2::post_fields("/b"), false));
  kinds();
  session_.abandon();
  EXPECT_THAT(kinds(), ElementsAre(Kind::gone, Kind::gone));
  session_.release(1);
  session_.release(3);
  EXPECT_EQ(session_.open_streams(), 0u);
}

}  // namespace
}  // namespace understudy::proxy
