// Which way to read a head and chunks: Beast's basic_parser with sinks of our own, behind a scan of
// the raw block that refuses what Beast lets pass, or the one-pass scan of proxy/http_head.h. Both
// end with the same: fields as views that go on to the upstream, framing known, nothing ambiguous
// accepted. Vectors are reused, as on a live connection.

#include <benchmark/benchmark.h>

#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/chunked.h"
#include "proxy/http_head.h"
#include "routing/fields.h"

namespace understudy::proxy {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::string_view kBoto3 =
    "POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse HTTP/1.1\r\n"
    "Host: 127.0.0.1:18080\r\n"
    "Accept-Encoding: identity\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: Boto3/1.43.78 md/Botocore#1.43.67 ua/2.1 os/linux#6.1.0 md/arch#x86_64 "
    "lang/python#3.11.2 "
    "md/pyimpl#CPython m/b,D,N,Z,e cfg/retry-mode#legacy Botocore/1.43.67\r\n"
    "X-Amz-Date: 20261120T220504Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 "
    "Credential=AKIDEXAMPLE/20261120/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date, "
    "Signature=2ce9aba2fcb203a8a55ddf239900aee60aac4d3c2ae5359fb03c0182793d4aeb\r\n"
    "amz-sdk-invocation-id: cbb7cbfa-9d78-40b6-a4fd-582b85f98ac1\r\n"
    "amz-sdk-request: attempt=1\r\n"
    "Content-Length: 2048\r\n\r\n";

constexpr std::string_view kJavaScript =
    "POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse HTTP/1.1\r\n"
    "content-type: application/json\r\n"
    "content-length: 56\r\n"
    "x-amz-user-agent: aws-sdk-js/3.1161.0\r\n"
    "user-agent: aws-sdk-js/3.1161.0 ua/2.1 os/linux#6.1.0 lang/js md/nodejs#20.20.2 "
    "api/bedrock-runtime#3.1161.0 m/N,E,e\r\n"
    "host: 127.0.0.1:18080\r\n"
    "amz-sdk-invocation-id: c6bc87cf-24b4-4fe9-854f-40af233138d3\r\n"
    "amz-sdk-request: attempt=1; max=3\r\n"
    "x-amz-date: 20261120T220502Z\r\n"
    "x-amz-content-sha256: 45e583fed2564dc00e823303d7609f8587af7f685b993cb0f998afc0d480b01d\r\n"
    "authorization: AWS4-HMAC-SHA256 "
    "Credential=AKIDEXAMPLE/20261120/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-"
    "content-sha256;"
    "x-amz-date;x-amz-user-agent, "
    "Signature=cbf00090029d312ac045d071d8af5bf06954a32a6439d505f96f4ffaddbddea2\r\n"
    "Connection: keep-alive\r\n\r\n";

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\n"
    "Date: Fri, 20 Nov 2026 22:00:00 GMT\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 1536\r\n"
    "Connection: keep-alive\r\n"
    "x-amzn-RequestId: 00000000-1111-4222-8333-444444444444\r\n\r\n";

constexpr std::string_view kStreamAnswer =
    "HTTP/1.1 200 OK\r\n"
    "Date: Fri, 20 Nov 2026 22:00:00 GMT\r\n"
    "Content-Type: application/vnd.amazon.eventstream\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\n"
    "x-amzn-RequestId: 00000000-1111-4222-8333-444444444444\r\n\r\n";

// What Beast 1.81 accepts or repairs and a proxy must refuse: bare CR, LF and NUL, folded lines,
// blanks before the colon.
bool is_unambiguous(std::string_view head) {
  if (std::memchr(head.data(), '\0', head.size()) != nullptr) return false;
  bool start_line = true;
  while (head.size() > 2) {
    const std::size_t newline = head.find('\n');
    if (newline == std::string_view::npos || newline == 0) return false;
    const std::string_view line = head.substr(0, newline);
    if (line.find('\r') != newline - 1) return false;
    if (!start_line) {
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos || colon == 0) return false;
      if (line.front() == ' ' || line.front() == '\t' || line[colon - 1] == ' ' ||
          line[colon - 1] == '\t')
        return false;
    }
    start_line = false;
    head.remove_prefix(newline + 1);
  }
  return head == "\r\n";
}

// Beast calls, we keep views. Which fields go on is decided by Beast's enumeration where it knows
// the name.
template <bool kIsRequest>
class ViewParser final : public http::basic_parser<kIsRequest> {
 public:
  ViewParser(std::vector<routing::Field>& fields, std::string_view& target)
      : fields_(fields), target_(target) {
    fields_.clear();
    this->eager(true);
  }
  std::size_t lengths() const { return lengths_; }
  std::size_t encodings() const { return encodings_; }
  std::size_t body_bytes() const { return body_bytes_; }

 private:
  void on_request_impl(http::verb, boost::beast::string_view, boost::beast::string_view target, int,
                       error_code&) override {
    target_ = {target.data(), target.size()};
  }
  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}
  void on_field_impl(http::field known, boost::beast::string_view name,
                     boost::beast::string_view value, error_code& problem) override {
    const std::string_view of_name{name.data(), name.size()}, of_value{value.data(), value.size()};
    switch (known) {
      case http::field::content_length:
        if (++lengths_ > 1) problem = http::make_error_code(http::error::bad_content_length);
        return;
      case http::field::transfer_encoding:
        if (++encodings_ > 1 || !routing::equals_ignoring_case(of_value, "chunked")) {
          problem = http::make_error_code(http::error::bad_transfer_encoding);
        }
        return;
      case http::field::host:
      case http::field::connection:
      case http::field::keep_alive:
      case http::field::te:
      case http::field::trailer:
      case http::field::upgrade:
      case http::field::proxy_authorization:
      case http::field::proxy_connection:
      case http::field::expect:
      case http::field::authorization:
      case http::field::cookie:
      case http::field::accept_encoding:
        return;
      default:
        if (of_name.size() > 6 && routing::equals_ignoring_case(of_name.substr(0, 6), "x-amz-"))
          return;
        fields_.push_back({of_name, of_value});
    }
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view body, error_code&) override {
    body_bytes_ += body.size();
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body,
                                 error_code&) override {
    body_bytes_ += body.size();
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  std::vector<routing::Field>& fields_;
  std::string_view& target_;
  std::size_t lengths_ = 0, encodings_ = 0, body_bytes_ = 0;
};

template <bool kIsRequest>
void by_beast(benchmark::State& state, std::string_view head) {
  std::vector<routing::Field> fields;
  std::string_view target;
  for (auto _ : state) {
    std::size_t searched = 0;
    if (find_head_end(head, searched) != head.size() || !is_unambiguous(head))
      state.SkipWithError("refused");
    ViewParser<kIsRequest> parser(fields, target);
    error_code problem;
    parser.put(boost::asio::const_buffer(head.data(), head.size()), problem);
    if (problem && problem != http::error::need_more) state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(fields.data());
  }
  state.counters["fields"] = static_cast<double>(fields.size());
}

void request_by_beast(benchmark::State& state, std::string_view head) {
  by_beast<true>(state, head);
}

void response_by_beast(benchmark::State& state, std::string_view head) {
  by_beast<false>(state, head);
}

void request_by_scan(benchmark::State& state, std::string_view head) {
  RequestHead read;
  for (auto _ : state) {
    std::size_t searched = 0;
    if (find_head_end(head, searched) != head.size()) state.SkipWithError("refused");
    if (scan_request_head(head, HeadLimits{}, read)) state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(read.fields.data());
  }
  state.counters["fields"] = static_cast<double>(read.fields.size());
}

void response_by_scan(benchmark::State& state, std::string_view head) {
  ResponseHead read;
  for (auto _ : state) {
    std::size_t searched = 0;
    if (find_head_end(head, searched) != head.size()) state.SkipWithError("refused");
    if (scan_response_head(head, HeadLimits{}, false, read)) state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(read.fields.data());
  }
  state.counters["fields"] = static_cast<double>(read.fields.size());
}

// A streamed body as it comes: one piece per chunk, the last chunk apart.
std::vector<std::string> chunks(std::size_t count, std::size_t bytes) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes);
  std::vector<std::string> pieces(count, size + std::string(bytes, 'x') + "\r\n");
  pieces.emplace_back("0\r\n\r\n");
  return pieces;
}

// Head and body, because basic_parser decodes chunks only behind a head; the head alone is measured
// above.
void chunked_by_beast(benchmark::State& state) {
  const auto pieces =
      chunks(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  // basic_parser leaves the CRLF behind a chunk until the next size line has come and wants both in
  // one piece: a relay would have to carry bytes over, here they happen to lie side by side.
  std::string wire;
  for (const std::string& piece : pieces) wire += piece;
  std::vector<routing::Field> fields;
  std::string_view target;
  for (auto _ : state) {
    if (!is_unambiguous(kStreamAnswer)) state.SkipWithError("refused");
    ViewParser<false> parser(fields, target);
    error_code problem;
    parser.put(boost::asio::const_buffer(kStreamAnswer.data(), kStreamAnswer.size()), problem);
    std::size_t at = 0, end = 0;
    for (const std::string& piece : pieces) {
      end += piece.size();
      at += parser.put(boost::asio::const_buffer(wire.data() + at, end - at), problem);
      if (problem && problem != http::error::need_more) state.SkipWithError("not parsed");
    }
    if (!parser.is_done()) state.SkipWithError("not decoded");
    benchmark::DoNotOptimize(parser.body_bytes());
  }
}

void chunked_by_decoder(benchmark::State& state) {
  const auto pieces =
      chunks(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  ResponseHead read;
  for (auto _ : state) {
    if (scan_response_head(kStreamAnswer, HeadLimits{}, false, read))
      state.SkipWithError("not parsed");
    ChunkDecoder decoder(64u << 10);
    std::size_t body_bytes = 0;
    ChunkDecoder::State last = ChunkDecoder::State::more;
    for (const std::string& piece : pieces) {
      std::string_view rest = piece;
      while (!rest.empty()) {
        const ChunkDecoder::Step step = decoder.next(rest);
        body_bytes += step.data.size();
        rest.remove_prefix(step.consumed);
        last = step.state;
      }
    }
    if (last != ChunkDecoder::State::done) state.SkipWithError("not decoded");
    benchmark::DoNotOptimize(body_bytes);
  }
}

BENCHMARK_CAPTURE(request_by_beast, boto3, kBoto3);
BENCHMARK_CAPTURE(request_by_scan, boto3, kBoto3);
BENCHMARK_CAPTURE(request_by_beast, javascript, kJavaScript);
BENCHMARK_CAPTURE(request_by_scan, javascript, kJavaScript);
BENCHMARK_CAPTURE(response_by_beast, converse, kAnswer);
BENCHMARK_CAPTURE(response_by_scan, converse, kAnswer);
BENCHMARK_CAPTURE(response_by_beast, converse_stream, kStreamAnswer);
BENCHMARK_CAPTURE(response_by_scan, converse_stream, kStreamAnswer);
// {chunks, bytes each}: an event stream; a large answer.
BENCHMARK(chunked_by_beast)->Args({100, 170})->Args({16, 4096});
BENCHMARK(chunked_by_decoder)->Args({100, 170})->Args({16, 4096});

}  // namespace
}  // namespace understudy::proxy
