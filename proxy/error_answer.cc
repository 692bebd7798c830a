#include "proxy/error_answer.h"

#include <ctime>
#include <nlohmann/json.hpp>

namespace understudy::proxy {

AnswerHead ErrorAnswer::head() {
  fields = {{{"content-type", "application/json"},
             {"date", date},
             {"x-amzn-requestid", request_id},
             {"x-amzn-errortype", type},
             {"x-understudy-error", cause}}};
  return {.status = status,
          .reason = {},
          .fields = fields,
          .added = {},
          .content_length = body.size(),
          .has_body = true};
}

ErrorAnswer make_error_answer(int status, std::string_view type, std::string_view message,
                              std::string_view cause, std::string_view request_id) {
  ErrorAnswer answer;
  answer.status = status;
  answer.body = nlohmann::json{{"message", message}}.dump(-1, ' ', false,
                                                          nlohmann::json::error_handler_t::replace);
  answer.date = http_date();
  answer.request_id = request_id;
  answer.type = type;
  answer.cause = cause;
  return answer;
}

std::string_view exception_for_status(int status) noexcept {
  switch (status) {
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

}  // namespace understudy::proxy
