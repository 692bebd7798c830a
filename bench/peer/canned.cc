#include "bench/peer/canned.h"

#include <array>
#include <boost/crc.hpp>
#include <charconv>
#include <stdexcept>

namespace understudy::bench {
namespace {

constexpr std::size_t kStampDigits = 12;

void put_number(std::string& text, std::size_t at, std::size_t digits, std::uint64_t number) {
  for (std::size_t i = digits; i-- > 0; number /= 10)
    text[at + i] = static_cast<char>('0' + number % 10);
}

// `front` + filler + `back`, exactly `size` bytes. The filler looks like prose to a JSON scanner.
std::string padded(std::string_view front, std::string_view back, std::size_t size) {
  if (size < front.size() + back.size()) throw std::invalid_argument("body too small");
  static constexpr std::string_view kProse =
      "Summarise the quarterly report for the board, in plain words. ";
  std::string text(front);
  for (std::size_t i = 0; text.size() < size - back.size(); ++i) text += kProse[i % kProse.size()];
  return text.append(back);
}

std::string sdk_head(std::string_view operation, Auth auth, std::size_t body_bytes) {
  std::string head = "POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/";
  head.append(operation).append(
      " HTTP/1.1\r\n"
      "Host: 127.0.0.1:18080\r\n"
      "Accept-Encoding: identity\r\n"
      "Content-Type: application/json\r\n"
      "User-Agent: Boto3/1.43.78 md/Botocore#1.43.67 ua/2.1 os/linux#6.1.0 md/arch#x86_64 "
      "lang/python#3.11.2 "
      "md/pyimpl#CPython m/b,D,N,Z,e cfg/retry-mode#legacy Botocore/1.43.67\r\n");
  head += auth == Auth::sigv4
              ? "X-Amz-Date: 20261120T220504Z\r\n"
                "Authorization: AWS4-HMAC-SHA256 "
                "Credential=AKIDEXAMPLE/20261120/us-east-1/bedrock/aws4_request, "
                "SignedHeaders=content-type;host;x-amz-date, "
                "Signature=2ce9aba2fcb203a8a55ddf239900aee60aac4d3c2ae5359fb03c0182793d4aeb\r\n"
              : "Authorization: Bearer bedrock-api-key-EXAMPLE\r\n";
  head +=
      "amz-sdk-invocation-id: cbb7cbfa-9d78-40b6-a4fd-000000000000\r\n"
      "amz-sdk-request: attempt=1\r\n"
      "Content-Length: ";
  return head.append(std::to_string(body_bytes)).append("\r\n\r\n");
}

Request request(std::string_view operation, Auth auth, std::size_t body_bytes) {
  Request made;
  made.bytes = sdk_head(operation, auth, body_bytes);
  made.head_size = made.bytes.size();
  made.id_at = made.bytes.find("a4fd-000000000000") + 5;
  static constexpr std::string_view kFront =
      R"({"messages": [{"role": "user", "content": [{"text": "000000000000 )";
  made.turn_at = made.head_size + kFront.find("000000000000");
  made.bytes += padded(kFront, R"("}]}], "inferenceConfig": {"maxTokens": 512}})", body_bytes);
  return made;
}

void put_u32(std::string& out, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>(value >> (24 - 8 * i));
}

std::uint32_t crc32(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

void append_header(std::string& frame, std::string_view name, std::string_view value) {
  frame += static_cast<char>(name.size());
  frame.append(name).append("\x07").append(1, '\0');
  frame += static_cast<char>(value.size());
  frame.append(value);
}

// One event of application/vnd.amazon.eventstream: u32 length, u32 header length, prelude CRC,
// headers, payload, CRC.
std::string event(std::string_view type, std::string_view payload) {
  std::string frame(12, '\0');
  append_header(frame, ":event-type", type);
  append_header(frame, ":content-type", "application/json");
  append_header(frame, ":message-type", "event");
  put_u32(frame, 4, static_cast<std::uint32_t>(frame.size() - 12));
  frame.append(payload);
  put_u32(frame, 0, static_cast<std::uint32_t>(frame.size() + 4));
  put_u32(frame, 8, crc32(std::string_view(frame).substr(0, 8)));
  const std::uint32_t crc = crc32(frame);
  frame.append(4, '\0');
  put_u32(frame, frame.size() - 4, crc);
  return frame;
}

std::string chunk(std::string_view data) {
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16).ptr;
  return std::string(size.data(), end).append("\r\n").append(data).append("\r\n");
}

constexpr std::string_view kUsage =
    R"("usage":{"cacheReadInputTokenCount":0,"cacheReadInputTokens":0,"cacheWriteInputTokenCount":0,"cacheWriteInputTokens":0,"inputTokens":411,"outputTokens":285,"serverToolUsage":{},"totalTokens":696}})";

}  // namespace

Request Request::converse(Auth auth, std::size_t body_bytes) {
  return request("converse", auth, body_bytes);
}

Request Request::converse_stream(Auth auth, std::size_t body_bytes) {
  return request("converse-stream", auth, body_bytes);
}

void Request::stamp(std::uint64_t number) {
  put_number(bytes, id_at, kStampDigits, number);
  put_number(bytes, turn_at, kStampDigits, number);
}

Answer converse_answer(Model model, std::size_t body_bytes) {
  std::string front = R"({"metrics":{"latencyMs":321},"output":{"message":{"content":[{"text":")";
  front += model == Model::primary ? "From the primary. " : "From the candidate. ";
  const std::string back =
      R"("}],"role":"assistant"}},"stopReason":"end_turn",)" + std::string(kUsage);
  Answer answer;
  answer.bytes =
      "HTTP/1.1 200 OK\r\n"
      "Date: Fri, 20 Nov 2026 22:00:00 GMT\r\n"
      "Content-Type: application/json\r\n"
      "Content-Length: " +
      std::to_string(body_bytes) +
      "\r\n"
      "Connection: keep-alive\r\n"
      "x-amzn-RequestId: 00000000-1111-4222-8333-444444444444\r\n\r\n";
  answer.head_size = answer.bytes.size();
  answer.bytes += padded(front, back, body_bytes);
  return answer;
}

DeltaChunk::DeltaChunk() {
  const std::string payload = R"({"contentBlockIndex":0,"delta":{)" + std::string(kSentMark) +
                              std::string(kSentDigits, '0') + R"("},"p":"abcdefg"})";
  const std::string frame = event("contentBlockDelta", payload);
  bytes_ = chunk(frame);
  frame_at_ = bytes_.find("\r\n") + 2;
  frame_size_ = frame.size();
  digits_at_ = bytes_.find(kSentMark) + kSentMark.size();
}

std::string_view DeltaChunk::stamped(Nanoseconds sent) {
  put_number(bytes_, digits_at_, kSentDigits, static_cast<std::uint64_t>(sent));
  const std::size_t crc_at = frame_at_ + frame_size_ - 4;
  put_u32(bytes_, crc_at, crc32(std::string_view(bytes_).substr(frame_at_, frame_size_ - 4)));
  return bytes_;
}

std::string stream_begin() {
  return "HTTP/1.1 200 OK\r\n"
         "Date: Fri, 20 Nov 2026 22:00:00 GMT\r\n"
         "Content-Type: application/vnd.amazon.eventstream\r\n"
         "Transfer-Encoding: chunked\r\n"
         "Connection: keep-alive\r\n"
         "x-amzn-RequestId: 00000000-1111-4222-8333-444444444444\r\n\r\n" +
         chunk(event("messageStart", R"({"p":"abcdefghi","role":"assistant"})"));
}

std::string stream_end() {
  const std::string metadata =
      R"({"metrics":{"latencyMs":321},"p":"abcdefg",)" + std::string(kUsage);
  return chunk(event("contentBlockStop", R"({"contentBlockIndex":0,"p":"abcdefghijklmnopqrst"})") +
               event("messageStop", R"({"p":"abcde","stopReason":"end_turn"})") +
               event("metadata", metadata)) +
         "0\r\n\r\n";
}

}  // namespace understudy::bench
