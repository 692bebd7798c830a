#pragma once
// The bytes of the bench: requests as boto3 sends them, answers and event streams as Bedrock frames
// them. Made once, then only stamped, so that the peer costs little next to the proxy it measures.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bench/peer/loop.h"

namespace understudy::bench {

enum class Auth : std::uint8_t { sigv4, bearer };
enum class Model : std::uint8_t { primary, candidate };

// A request of which every copy differs: invocation id and first user turn carry a number, or a
// proxy that knows retries and conversations would take them all for one.
struct Request {
  std::string bytes;
  std::size_t head_size = 0;  // up to and with the empty line
  std::size_t id_at = 0;
  std::size_t turn_at = 0;

  static Request converse(Auth auth, std::size_t body_bytes);
  static Request converse_stream(Auth auth, std::size_t body_bytes);
  void stamp(std::uint64_t number);  // 12 digits at both places
};

// Head and JSON body of a Converse answer. The text names the model: a candidate's answer at the
// client is seen.
struct Answer {
  std::string bytes;
  std::size_t head_size = 0;
  std::string_view body() const { return std::string_view(bytes).substr(head_size); }
};
Answer converse_answer(Model model, std::size_t body_bytes);

// One chunk of a ConverseStream answer, of about 170 bytes: a contentBlockDelta whose text is the
// time it was sent.
class DeltaChunk {
 public:
  DeltaChunk();
  std::string_view stamped(Nanoseconds sent);  // valid until the next call

 private:
  std::string bytes_;
  std::size_t frame_at_, frame_size_, digits_at_;
};
// What stands before the digits in a delta's payload, and how many digits follow.
inline constexpr std::string_view kSentMark = "\"text\":\"t=";
inline constexpr std::size_t kSentDigits = 19;

std::string stream_begin();  // head and the messageStart chunk
std::string
stream_end();  // contentBlockStop, messageStop and metadata in one chunk, and the last chunk

}  // namespace understudy::bench
