// Signatures of events: those that the AWS SDK for JavaScript made, and frames that nobody should
// take.

#include "proxy/event_signing.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <iterator>

#include "metrics/event_stream.h"

namespace understudy::proxy {
namespace {

using std::chrono::milliseconds;

// tests/corpus/wire/frames/bidirectional-client-signed.bin is the whole body of one call.
std::string sample() {
  std::ifstream file{
      std::string{UNDERSTUDY_CORPUS} + "/wire/frames/bidirectional-client-signed.bin",
      std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

struct SampleFrame {
  std::size_t size;
  EventChain::Milliseconds date;
};
constexpr std::array kFrames{
    SampleFrame{282, EventChain::Milliseconds{milliseconds{1795212301121}}},
    SampleFrame{222, EventChain::Milliseconds{milliseconds{1795212301224}}},
    SampleFrame{83, EventChain::Milliseconds{milliseconds{1795212301326}}},
};

EventChain chain(const std::string& secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY") {
  return EventChain(
      {.secret = Secret(secret),
       .region = "us-east-1",
       .service = "bedrock",
       .signature = "16b68ba93e30650090408ecebefaec86efc429e73ab9801a43407d2aa42544f4"});
}

constexpr EventChain::Milliseconds kNow = kFrames[0].date;

// What a stream with these bytes is refused for.
ErrorKind refusal(EventResigner events, std::string_view bytes) {
  std::string out;
  const Status taken = events.take(bytes, kNow, out);
  EXPECT_FALSE(taken);
  if (taken) return ErrorKind::internal;
  EXPECT_EQ(taken.error().side, Side::downstream);
  return taken.error().kind;
}

TEST(EventSigning, MakesTheSdksFramesToTheByte) {
  const std::string bytes = sample();
  EventResigner events(std::nullopt, chain());
  std::size_t at = 0;
  for (const SampleFrame& frame : kFrames) {
    std::string out;
    const std::string wanted = bytes.substr(at, frame.size);
    ASSERT_TRUE(events.take(wanted, frame.date, out));
    EXPECT_TRUE(out == wanted) << "frame at " << at;
    at += frame.size;
  }
  EXPECT_EQ(at, bytes.size());
}

TEST(EventSigning, FindsTheSdksSignaturesRight) {
  EventResigner events(chain(), std::nullopt);
  std::string out;
  ASSERT_TRUE(events.take(sample(), kNow, out));
  EXPECT_TRUE(out == sample()) << "without keys for the upstream frames go on as they came";
  EXPECT_TRUE(events.between_frames());
}

TEST(EventSigning, TakesFramesInPiecesOfAnySize) {
  const std::string bytes = sample();
  for (const std::size_t size : {1u, 11u, 12u, 13u, 281u, 283u}) {
    EventResigner events(chain(), std::nullopt);
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      ASSERT_TRUE(events.take(std::string_view{bytes}.substr(at, size), kNow, out)) << at;
      EXPECT_EQ(events.between_frames(), out.size() == std::min(at + size, bytes.size()));
    }
    EXPECT_TRUE(out == bytes) << size;
  }
}

TEST(EventSigning, ResignedEventsAreTheClientsUnderANewSignature) {
  EventResigner to_upstream(chain(), chain("the-upstream's-own-secret"));
  std::string sent;
  ASSERT_TRUE(to_upstream.take(sample(), kNow + std::chrono::hours{3}, sent));
  EXPECT_EQ(sent.size(), sample().size());
  EXPECT_EQ(refusal(EventResigner(chain(), std::nullopt), sent), ErrorKind::credentials);

  EventResigner upstream(chain("the-upstream's-own-secret"), std::nullopt);
  std::string again;
  ASSERT_TRUE(upstream.take(sent, kNow, again));
  const auto event = metrics::decode_frame(metrics::decode_frame(sent).frame.payload);
  EXPECT_EQ(event.status, metrics::FrameStatus::ok);
  EXPECT_EQ(event.frame.event_type, "chunk");
}

TEST(EventSigning, AChainOutlivesMidnight) {
  EventChain signing = chain();
  EventChain checking = chain();
  const EventChain::Milliseconds midnight =
      std::chrono::floor<std::chrono::days>(kNow) + std::chrono::days{1};
  std::string stream = signed_frame(signing, midnight - milliseconds{1}, "a");
  stream += signed_frame(signing, midnight, "b");
  stream += signed_frame(signing, midnight + milliseconds{1}, "");
  EventResigner events(std::move(checking), std::nullopt);
  std::string out;
  EXPECT_TRUE(events.take(stream, kNow, out));
  EXPECT_TRUE(out == stream);
}

TEST(EventSigning, RefusesFramesThatWereChangedMovedOrRepeated) {
  const std::string bytes = sample();
  const std::string first = bytes.substr(0, kFrames[0].size);
  const std::string second = bytes.substr(first.size(), kFrames[1].size);
  const EventResigner checking(chain(), std::nullopt);
  EXPECT_EQ(refusal(checking, second), ErrorKind::credentials);
  EXPECT_EQ(refusal(checking, first + first), ErrorKind::credentials);
  EXPECT_EQ(refusal(EventResigner(chain("another-secret"), std::nullopt), first),
            ErrorKind::credentials);
  for (const std::size_t at : {0u, 4u, 8u, 20u, 40u, 100u, 281u}) {
    std::string damaged = first;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_EQ(refusal(checking, damaged), ErrorKind::bad_message) << at;
  }
}

TEST(EventSigning, RefusesWhatIsNoStreamOfSignedFrames) {
  const EventResigner events(std::nullopt, chain());
  const std::string bytes = sample();
  const auto inner = std::string{metrics::decode_frame(bytes).frame.payload};
  EXPECT_EQ(refusal(events, inner), ErrorKind::bad_message) << "an event without its wrapping";
  EXPECT_EQ(refusal(events, bytes + bytes), ErrorKind::bad_message) << "more behind the last one";
  EXPECT_EQ(refusal(events, std::string(12, '\0')), ErrorKind::bad_message);
  EXPECT_EQ(refusal(events, "POST / HTTP/1.1\r\n"), ErrorKind::bad_message);
}

// The prelude's own checksum stands, so that the size alone is what is wrong.
TEST(EventSigning, RefusesAFrameTooLargeBeforeItComes) {
  std::string prelude("\x7F\xFF\xFF\xFF\x00\x00\x00\x43", 8);
  const std::uint32_t sum = metrics::crc32(prelude);
  for (int shift = 24; shift >= 0; shift -= 8)
    prelude.push_back(static_cast<char>(sum >> shift & 0xFF));
  EXPECT_EQ(refusal(EventResigner(std::nullopt, chain()), prelude), ErrorKind::bad_message);
}

TEST(EventSigning, RefusesATimeThatNoSignatureCanName) {
  EventChain signing = chain();
  const EventChain::Milliseconds never = std::chrono::sys_days{std::chrono::year{12000} / 1 / 1};
  const EventResigner events(std::nullopt, chain());
  EXPECT_EQ(refusal(events, signed_frame(signing, never, "a")), ErrorKind::bad_message);
  const EventChain::Milliseconds before{milliseconds{-1}};
  EXPECT_EQ(refusal(events, signed_frame(signing, before, "a")), ErrorKind::bad_message);
}

}  // namespace
}  // namespace understudy::proxy
