#include "tests/simulator/service_error.h"

#include <nlohmann/json.hpp>

namespace understudy::simulator {
namespace {

constexpr std::string_view kSystemError =
    "The system encountered an unexpected error during processing. Try your request again.";

ServiceError service(unsigned status, std::string_view type, std::string_view message) {
  return {.status = status, .type = type, .message = std::string{message}, .resource = {}};
}

ServiceError front_door(std::string_view type, std::string_view message) {
  return {.status = 403,
          .type = type,
          .message = std::string{message},
          .from_front_door = true,
          .resource = {}};
}

}  // namespace

Reply to_reply(const ServiceError& error) {
  nlohmann::json body{{error.capital_message ? "Message" : "message", error.message}};
  if (!error.resource.empty()) {
    body["originalStatusCode"] = 500;
    body["resourceName"] = error.resource;
  }
  Reply reply;
  reply.status = error.status;
  reply.headers = {
      {"Content-Type", "application/json"},
      {"x-amzn-ErrorType",
       std::string{error.type} + ":http://internal.amazon.com/coral/" +
           (error.from_front_door ? "com.amazon.coral.service/" : "com.amazon.bedrock/")}};
  reply.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return reply;
}

namespace {

std::string_view anthropic_type(unsigned status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

nlohmann::json openai_error(const ServiceError& error) {
  std::string_view type = "invalid_request_error";
  std::string_view code = "validation_error";
  if (error.status == 401 || error.status == 403) code = "access_denied";
  if (error.status == 404) code = "model_not_found";
  if (error.status == 429) type = code = "rate_limit_exceeded";
  if (error.status >= 500) type = code = "server_error";
  return {
      {"error", {{"code", code}, {"message", error.message}, {"param", nullptr}, {"type", type}}}};
}

}  // namespace

Reply to_reply(const ServiceError& error, Wire wire) {
  if (wire == Wire::bedrock) return to_reply(error);
  const nlohmann::json body =
      wire == Wire::openai
          ? openai_error(error)
          : nlohmann::json{
                {"type", "error"},
                {"error", {{"type", anthropic_type(error.status)}, {"message", error.message}}}};
  Reply reply;
  reply.status = error.status;
  reply.headers = {{"Content-Type", "application/json"}};
  reply.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return reply;
}

ServiceError unknown_model(std::string_view model_id) {
  return service(404, "ResourceNotFoundException",
                 "The model '" + std::string{model_id} + "' does not exist");
}

ServiceError validation(std::string message) {
  return {
      .status = 400, .type = "ValidationException", .message = std::move(message), .resource = {}};
}

ServiceError invalid_model() {
  return validation("The provided model identifier is invalid.");
}

ServiceError needs_inference_profile(std::string_view model_id) {
  return validation("Invocation of model ID " + std::string{model_id} +
                    " with on-demand throughput isn\u2019t supported. Retry your request with the "
                    "ID or ARN of an "
                    "inference profile that contains this model.");
}

ServiceError end_of_life() {
  return service(404, "ResourceNotFoundException",
                 "This model version has reached the end of its life. Please refer to the AWS "
                 "documentation for more "
                 "details.");
}

ServiceError legacy_inactive() {
  return service(404, "ResourceNotFoundException",
                 "Access denied. This Model is marked by provider as Legacy and you have not been "
                 "actively using the "
                 "model in the last 30 days. Please upgrade to an active model on Amazon Bedrock");
}

ServiceError throttled() {
  return service(429, "ThrottlingException", "Too many tokens, please wait before trying again.");
}

ServiceError model_not_ready() {
  return service(429, "ModelNotReadyException",
                 "Model is not ready for inference. Wait and try your request again.");
}

ServiceError internal_error() {
  return service(500, "InternalServerException", kSystemError);
}

ServiceError unavailable() {
  return service(503, "ServiceUnavailableException",
                 "Too many connections, please wait before trying again.");
}

ServiceError model_error(std::string_view model_id) {
  ServiceError error = service(424, "ModelErrorException", kSystemError);
  error.resource = "arn:aws:bedrock:us-east-1::foundation-model/" + std::string{model_id};
  return error;
}

ServiceError model_timeout() {
  return service(408, "ModelTimeoutException",
                 "Model has timed out in processing the request. Try your request again.");
}

ServiceError unrecognized_client() {
  return front_door("UnrecognizedClientException",
                    "The security token included in the request is invalid");
}

ServiceError expired_token() {
  return front_door("ExpiredTokenException",
                    "The security token included in the request is expired");
}

ServiceError invalid_signature(std::string message) {
  return front_door("InvalidSignatureException", message);
}

ServiceError bad_signature() {
  return invalid_signature(
      "The request signature we calculated does not match the signature you provided. Check your "
      "AWS Secret Access Key "
      "and signing method. Consult the service documentation for details.");
}

Reply unknown_operation() {
  Reply reply;
  reply.status = 404;
  reply.headers = {{"Content-Type", "application/xml"},
                   {"x-amzn-ErrorType", "UnknownOperationException"}};
  reply.body = "<UnknownOperationException/>";
  return reply;
}

ServiceError error_of_status(unsigned status, std::string_view model_id) {
  switch (status) {
    case 403:
      return service(403, "AccessDeniedException",
                     "You don't have access to the model with the specified model ID.");
    case 404:
      return end_of_life();
    case 408:
      return model_timeout();
    case 424:
      return model_error(model_id);
    case 429:
      return throttled();
    case 503:
      return unavailable();
    default:
      break;
  }
  if (status >= 500) {
    ServiceError error = internal_error();
    error.status = status;
    return error;
  }
  ServiceError error = validation("Malformed input request: status " + std::to_string(status) +
                                  " was asked for, please reformat your input and try again.");
  error.status = status;
  return error;
}

}  // namespace understudy::simulator
