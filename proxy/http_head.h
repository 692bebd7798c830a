#pragma once
// The head of an HTTP/1.1 message: one pass over the raw bytes that refuses what is ambiguous,
// records views and tells the framing. This is the gate that everything read from a socket goes
// through (a library's parser is not a security policy: Beast 1.81 takes "Transfer-Encoding:
// xchunked" for a request without a body, accepts folded lines and two Hosts). Rules: RFC 9112,
// stricter where it leaves a choice. Nothing here allocates once the vectors have grown.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/fields.h"

namespace understudy::proxy {

enum class Framing : std::uint8_t {
  none,            // no body
  content_length,  // exactly that many bytes
  chunked,
  until_close,  // responses only: ends with the connection, so a cut cannot be told from an end
};

struct HeadLimits {
  std::size_t max_fields = 100;
  std::size_t max_target_bytes = 8u << 10;
};

// Why a head was refused. All views are static.
struct HeadProblem {
  int status = 400;  // for the reply where it is a request; 0: whoever sent it would not read one
  std::string_view rule;    // closed set, a metric label: "header_name", "max_header_fields", ...
  std::string_view what;    // a sentence
  std::string_view type{};  // Bedrock's exception; empty: the usual one for the status
};

// Views into the bytes that were scanned. `fields` are the end-to-end ones that go on to the
// upstream; those that end here (framing, hop-by-hop, Host, credentials, x-amz-*, cookies, ours)
// are left out, the useful ones named below.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::string_view host;
  std::string_view content_type;  // also in `fields`
  std::string_view authorization;
  std::string_view api_key;        // x-api-key
  std::string_view invocation_id;  // amz-sdk-invocation-id; also in `fields`
  std::string_view family;         // x-understudy-family
  std::vector<routing::Field> fields;
  std::vector<routing::Field> ended;  // x-amz-*, cookie, accept-encoding: not sent on
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;

  // As before any scan; what the vectors have grown to is kept. Called when the bytes go: a request
  // that is refused before it is scanned has no head but an empty one.
  void clear() noexcept;
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  std::vector<routing::Field> fields;  // end-to-end
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
};

// The line "name: value" with its CRLF. What has passed a scan is written as it is; what could end
// the line, or is no name, is left out: no head that we write has a field more than it was given.
void append_field(std::string& out, std::string_view name, std::string_view value);

// The same for many; those that stood in their head just so, one behind the other, in one piece.
void append_fields(std::string& out, std::span<const routing::Field> fields);

// Where the head ends: the offset behind the empty line, or npos while it is not there. `searched`
// carries the progress from call to call, so that a head that dribbles in is searched once; begin
// with 0.
std::size_t find_head_end(std::string_view bytes, std::size_t& searched) noexcept;

// `head` is the start line and all fields including the empty line. On a problem `out` is not to be
// used.
std::optional<HeadProblem> scan_request_head(std::string_view head, const HeadLimits& limits,
                                             RequestHead& out);

// `to_head_request`: the answer to HEAD, which has no body whatever its fields say.
std::optional<HeadProblem> scan_response_head(std::string_view head, const HeadLimits& limits,
                                              bool to_head_request, ResponseHead& out);

}  // namespace understudy::proxy
