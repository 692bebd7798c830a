#pragma once
// Errors that the proxy makes itself, in the shape of the API that was asked, so that SDKs raise
// their usual exceptions: Bedrock's {"message": ...} ("Message" with 403) with x-amzn-errortype,
// Anthropic's {"type": "error", "error": {...}}, OpenAI's {"error": {...}}; each with a request id,
// and x-understudy-error with the cause, by which they can be told from the upstream's own.

#include <array>
#include <string>
#include <string_view>

#include "proxy/downstream.h"
#include "proxy/task.h"
#include "routing/operation.h"

namespace understudy::proxy {

struct ErrorAnswer {
  int status = 500;
  std::string body;
  std::string date;
  std::string request_id;
  std::string type;
  std::string cause;
  std::string_view request_id_name;  // the field in which the API's SDK looks for it
  std::array<routing::Field, 6> fields;

  // Views into this object.
  AnswerHead head();
};

// `type` is Bedrock's exception name; `cause` a word of a closed set ("connect", "max_body_bytes",
// ...).
ErrorAnswer make_error_answer(int status, std::string_view type, std::string_view message,
                              std::string_view cause, std::string_view request_id,
                              routing::Wire wire = routing::Wire::bedrock);

// Writes it whole. An error where the client is gone and cannot be told.
Task<Status> send(ResponseSink& client, ErrorAnswer answer);

// What the client is told of an exchange that failed before its answer began.
struct FailureReply {
  int status;
  std::string_view type;
  std::string_view message;  // static, or the error's
};
FailureReply reply_to(const Error& error) noexcept;

// The exception name of a refusal: its own, or the one that fits its status.
std::string_view exception_for(const HeadProblem& problem) noexcept;

// "Sat, 21 Nov 2026 00:00:00 GMT" (RFC 9110 5.6.7).
std::string http_date();

}  // namespace understudy::proxy
