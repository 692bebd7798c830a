// Row M9 of the parser's table: whatever is handed to one that writes a head, nothing leaves that
// could begin another line. Beast's writes such bytes as they are.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "proxy/answer_encoder.h"
#include "proxy/error_answer.h"
#include "proxy/field_text.h"
#include "proxy/h2_fields.h"
#include "proxy/h2_session.h"
#include "proxy/http_call.h"
#include "proxy/upstream_request.h"
#include "tests/support/h2_frames.h"

namespace understudy::proxy {
namespace {

namespace h2 = testing_support::h2;
using namespace std::chrono_literals;
using routing::Field;

constexpr int kRounds = 3'000;

// Short texts in which ordinary bytes and those that end a line, a word or a string meet.
class Noise {
 public:
  std::string text() {
    static constexpr std::string_view kHostile{"\r\n\0\r\n: \t\x7f\x80\xff_\x01", 13};
    std::string made(upto(12), 'a');
    const bool clean = upto(2) == 0;
    for (char& c : made) {
      if (!clean && upto(4) == 0) c = kHostile[upto(kHostile.size() - 1)];
    }
    return made;
  }
  std::size_t upto(std::size_t most) {
    return std::uniform_int_distribution<std::size_t>{0, most}(random_);
  }
  // The texts stay as long as the object.
  std::vector<Field> fields() {
    texts_.clear();
    texts_.reserve(20);
    std::vector<Field> made(upto(9));
    for (Field& field : made) {
      field.name = texts_.emplace_back(text());
      field.value = texts_.emplace_back(text());
    }
    return made;
  }

 private:
  std::mt19937 random_{20261122};
  std::vector<std::string> texts_;
};

bool has_line_end(std::string_view text) {
  return text.find_first_of(std::string_view{"\r\n\0", 3}) != std::string_view::npos;
}

// One head: lines that each end in CRLF and hold no other control byte, the empty one last and only
// there, and no more fields than that.
testing::AssertionResult is_one_head(std::string_view bytes, std::size_t most_fields) {
  std::size_t lines = 0;
  for (std::string_view rest = bytes; !rest.empty(); ++lines) {
    const std::size_t end = field_value_length(rest);
    if (rest.substr(end, 2) != "\r\n")
      return testing::AssertionFailure() << "a control byte in " << testing::PrintToString(bytes);
    rest.remove_prefix(end + 2);
    if (end == 0 && !rest.empty())
      return testing::AssertionFailure() << "two heads in " << testing::PrintToString(bytes);
  }
  if (!bytes.ends_with("\r\n\r\n")) return testing::AssertionFailure() << "no end: " << bytes;
  if (lines > most_fields + 2)
    return testing::AssertionFailure() << "a field too many: " << testing::PrintToString(bytes);
  return testing::AssertionSuccess();
}

TEST(M9Serialisers, WriteAFieldAsItIsOrNotAtAll) {
  Noise noise;
  int written = 0, left_out = 0;
  for (int i = 0; i < kRounds; ++i) {
    const std::string name = noise.text(), value = noise.text();
    std::string out;
    append_field(out, name, value);
    if (out.empty()) {
      EXPECT_FALSE(is_field(name, value));
      ++left_out;
      continue;
    }
    EXPECT_EQ(out, name + ": " + value + "\r\n");
    EXPECT_FALSE(has_line_end(name + value));
    ++written;
  }
  EXPECT_GT(written, kRounds / 10);
  EXPECT_GT(left_out, kRounds / 10);
}

// Where fields stand as in a head, many are copied in one piece: also where nobody has scanned it.
TEST(M9Serialisers, CopyNothingInOnePieceThatIsNotSound) {
  Noise noise;
  for (int i = 0; i < kRounds; ++i) {
    const std::vector<Field> given = noise.fields();
    std::string head;
    for (const Field& field : given)
      head.append(field.name)
          .append(": ")
          .append(field.value)
          .append(noise.upto(9) ? "\r\n" : "\n\n");
    std::vector<Field> standing;
    std::size_t at = 0;
    for (const Field& field : given) {
      const std::string_view whole{head};
      const std::size_t value_at = at + field.name.size() + 2;
      standing.push_back(
          {whole.substr(at, field.name.size()), whole.substr(value_at, field.value.size())});
      at = value_at + field.value.size() + 2;
    }
    std::string out;
    append_fields(out, standing);
    EXPECT_TRUE(is_one_head("x\r\n" + out + "\r\n", standing.size()));
  }
}

TEST(M9Serialisers, SendAnUpstreamOneRequest) {
  constexpr std::size_t kMostOwn = 8;
  Noise noise;
  Signer signer;
  for (int i = 0; i < kRounds; ++i) {
    std::string lines;
    const std::vector<Field> fields = noise.fields();
    append_fields(lines, fields);
    const std::string method = noise.text(), target = noise.text(), authority = noise.text(),
                      type = noise.text(), mark = noise.text(), token = "Bearer " + noise.text(),
                      key = noise.text(), region = noise.text();
    const OutgoingRequest request{
        .method = method,
        .target = target,
        .authority = authority,
        .service = "bedrock",
        .lines = lines,
        .content_type = type,
        .body = "{}",
        .shadow_mark = mark,
        .client_authorization = std::string_view{token}.substr(noise.upto(1) * 7),
        .client_api_key = key};
    Credentials credentials;
    credentials.kind =
        std::array{Credentials::Kind::none, Credentials::Kind::sigv4, Credentials::Kind::bearer,
                   Credentials::Kind::forward_bearer}[noise.upto(3)];
    credentials.keys = {.access_key_id = noise.text(),
                        .secret_access_key = Secret(noise.text()),
                        .session_token = Secret(noise.text())};
    credentials.token = Secret(noise.text());
    std::optional<Sha256> hash;
    std::string out;
    const bool whole = bool{append_request_head(request, credentials, region, signer, hash, out)};
    if (!whole) out.append("\r\n");  // it names no token; what there is of it holds to the same
    EXPECT_TRUE(is_one_head(out, fields.size() + kMostOwn));
    EXPECT_EQ(std::count(out.begin(), out.begin() + static_cast<int>(out.find('\r')), ' '), 2)
        << "method, target and version: " << out;
  }
}

TEST(M9Serialisers, SendAClientOfHttp1OneAnswer) {
  constexpr std::size_t kMostOwn = 2;
  Noise noise;
  TextPool texts;
  AnswerEncoder answer(texts);
  for (int i = 0; i < kRounds; ++i) {
    Noise other = noise;
    const std::vector<Field> fields = noise.fields(), added = other.fields();
    const std::string reason = noise.text();
    answer.begin({.status = 200,
                  .reason = reason,
                  .fields = fields,
                  .added = added,
                  .content_length = noise.upto(1) ? std::optional<std::uint64_t>{5} : std::nullopt},
                 {.http_1_0 = noise.upto(1) == 0, .keep_alive = noise.upto(1) == 0});
    const auto head = answer.buffers()[0];
    EXPECT_TRUE(is_one_head({static_cast<const char*>(head.data()), head.size()},
                            fields.size() + added.size() + kMostOwn));
    answer.written();
  }
}

TEST(M9Serialisers, SendAClientOneErrorWhateverItTells) {
  Noise noise;
  TextPool texts;
  AnswerEncoder answer(texts);
  for (int i = 0; i < kRounds; ++i) {
    auto error = make_error_answer(502, noise.text(), noise.text(), noise.text(), noise.text(),
                                   noise.upto(1) ? routing::Wire::bedrock : routing::Wire::openai);
    answer.begin(error.head(), {});
    const auto head = answer.buffers()[0];
    EXPECT_TRUE(is_one_head({static_cast<const char*>(head.data()), head.size()}, 8));
    EXPECT_FALSE(has_line_end(error.body)) << "JSON escapes them";
    answer.written();
  }
}

TEST(M9Serialisers, SendAClientOfHttp2NoLineEndInAnyField) {
  Noise noise;
  routing::LimitsConfig limits;
  metrics::BlockPool blocks;
  BodyBudget bodies;
  bodies.allow(limits.max_buffered_body_bytes);
  H2Session session(limits, blocks, bodies, H2Session::TimePoint{1h});
  session.receive(std::string{h2::kPreface} + h2::settings(), H2Session::TimePoint{1h});
  h2::HeadReader reader;
  std::size_t sent = 0;
  for (std::int32_t id = 1; id < 600; id += 2) {
    session.receive(h2::post(static_cast<std::uint32_t>(id), "/a", ""), H2Session::TimePoint{1h});
    Noise other = noise;
    const std::vector<Field> fields = noise.fields(), added = other.fields();
    session.answer(*session.find(id), {.status = 200, .fields = fields, .added = added}, {}, true);
    session.release(id);
    H2Output output;
    session.collect(output, H2Session::TimePoint{1h});
    std::string bytes;
    output.for_each_piece([&](const char* data, std::size_t size) { bytes.append(data, size); });
    session.sent(output);
    while (const auto frame = h2::take_frame(bytes)) {
      if (!frame->is(h2::kHeaders)) continue;
      for (const auto& [name, value] : reader.read(frame->payload)) {
        EXPECT_FALSE(has_line_end(name + value)) << testing::PrintToString(name + ": " + value);
        ++sent;
      }
    }
  }
  EXPECT_GT(sent, 600U) << "and what is sound is sent";
}

// The head that HTTP/2's fields are written down as is read by the gate of HTTP/1.1.
TEST(M9Serialisers, WriteHttp2FieldsAsOneHead) {
  Noise noise;
  metrics::BlockPool blocks;
  int written = 0;
  for (int i = 0; i < kRounds; ++i) {
    H2RequestFields request;
    const auto some = [&](std::string usual) {
      return noise.upto(9) == 0 ? noise.text() : std::move(usual);
    };
    request.add(some(":method"), some("POST"), {});
    request.add(some(":scheme"), some("http"), {});
    request.add(some(":path"), some("/a"), {});
    request.add(some(":authority"), some("b"), {});
    request.add(some("host"), some("b"), {});
    const std::string name = some("x"), value = noise.text();
    request.add(name, value, {});
    metrics::Block head;
    if (request.finish(blocks, head)) continue;
    EXPECT_TRUE(is_one_head(head.view(), 3));
    ++written;
  }
  EXPECT_GT(written, kRounds / 10);
}

TEST(M9Serialisers, MakeNoCallThatHoldsALineEnd) {
  using namespace std::string_literals;
  HttpCall call;
  call.endpoint.host = "127.0.0.1";
  for (const std::string& bad : {"a\r\nb"s, "a\nb"s, "a\rb"s, "a\0b"s, "a\x7f"s}) {
    HttpCall with_target = call, with_name = call, with_value = call, with_type = call;
    with_target.target = "/" + bad;
    with_name.fields = {{bad, "x"}};
    with_value.fields = {{"x", bad}};
    with_type.content_type = bad;
    for (const HttpCall& each : {with_target, with_name, with_value, with_type})
      EXPECT_EQ(call_http(each).error().kind, ErrorKind::bad_message);
  }
}

}  // namespace
}  // namespace understudy::proxy
