#include "proxy/error_answer.h"

#include <ctime>
#include <nlohmann/json.hpp>

namespace understudy::proxy {
namespace {

using nlohmann::json;
using routing::Wire;

// Anthropic's word for a status (its API reference, "Errors").
std::string_view anthropic_type(int status) noexcept {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

json error_body(Wire wire, int status, std::string_view message, std::string_view cause,
                std::string_view request_id) {
  switch (wire) {
    case Wire::anthropic:
      return {{"type", "error"},
              {"error", {{"type", anthropic_type(status)}, {"message", message}}},
              {"request_id", request_id}};
    case Wire::openai:
      return {{"error",
               {{"message", message},
                {"type", status >= 500 ? "server_error" : "invalid_request_error"},
                {"param", nullptr},
                {"code", cause}}}};
    case Wire::bedrock:
      break;
  }
  // Bedrock's front door, which says who may come in, spells it with a capital.
  return {{status == 403 ? "Message" : "message", message}};
}

std::string_view request_id_field(Wire wire) noexcept {
  switch (wire) {
    case Wire::anthropic:
      return "request-id";
    case Wire::openai:
      return "x-request-id";
    case Wire::bedrock:
      break;
  }
  return {};
}

}  // namespace

AnswerHead ErrorAnswer::head() {
  fields = {{{"content-type", "application/json"},
             {"date", date},
             {"x-amzn-requestid", request_id},
             {"x-amzn-errortype", type},
             {"x-understudy-error", cause},
             {request_id_name, request_id}}};
  return {.status = status,
          .reason = {},
          .fields = std::span{fields}.first(request_id_name.empty() ? 5 : 6),
          .added = {},
          .content_length = body.size(),
          .has_body = true};
}

ErrorAnswer make_error_answer(int status, std::string_view type, std::string_view message,
                              std::string_view cause, std::string_view request_id, Wire wire) {
  ErrorAnswer answer;
  answer.status = status;
  answer.body = error_body(wire, status, message, cause, request_id)
                    .dump(-1, ' ', false, json::error_handler_t::replace);
  answer.date = http_date();
  answer.request_id = request_id;
  answer.type = type;
  answer.cause = cause;
  answer.request_id_name = request_id_field(wire);
  return answer;
}

FailureReply reply_to(const Error& error) noexcept {
  constexpr std::string_view kUnavailable = "ServiceUnavailableException";
  switch (error.kind) {
    case ErrorKind::credentials:
      if (error.side == Side::downstream) return {403, "AccessDeniedException", error.context};
      return {503, kUnavailable, error.context};
    case ErrorKind::timeout:
      return {504, kUnavailable, "The upstream did not answer in time."};
    default:
      return {502, kUnavailable, "The upstream could not be reached or broke off."};
  }
}

std::string_view exception_for(const HeadProblem& problem) noexcept {
  if (!problem.type.empty()) return problem.type;
  switch (problem.status) {
    case 403:
      return "AccessDeniedException";
    case 404:
      return "ResourceNotFoundException";
    case 408:
      return "ModelTimeoutException";
    case 429:
      return "ThrottlingException";
    case 500:
      return "InternalServerException";
    case 502:
    case 503:
    case 504:
      return "ServiceUnavailableException";
    default:
      return "ValidationException";
  }
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

Task<Status> send(ResponseSink& client, ErrorAnswer answer) {
  const std::array<std::string_view, 1> pieces{answer.body};
  co_return co_await client.begin(answer.head(), pieces, true);
}

}  // namespace understudy::proxy
