#pragma once
// Bedrock's errors as values: status, name, text and the key the text stands under. Texts as
// recorded from the service or reported by its users where known. Pure.

#include <string>
#include <string_view>

#include "tests/simulator/message.h"
#include "tests/simulator/operations.h"

namespace understudy::simulator {

struct ServiceError {
  unsigned status = 400;
  std::string_view type;  // static text, e.g. "ValidationException"
  std::string message;
  // Errors of the front door (authentication) come from another package than the service's own.
  bool from_front_door = false;
  bool capital_message = false;  // {"Message": ...}, as bearer failures have it
  std::string resource;          // ModelErrorException names what failed
};

Reply to_reply(const ServiceError& error);
// In the words and the shape of the API that was asked.
Reply to_reply(const ServiceError& error, Wire wire);

ServiceError validation(std::string message);
ServiceError invalid_model();
// The second wire's words for a model that it does not have.
ServiceError unknown_model(std::string_view model_id);
ServiceError needs_inference_profile(std::string_view model_id);
ServiceError end_of_life();
ServiceError legacy_inactive();
ServiceError throttled();
ServiceError model_not_ready();
ServiceError internal_error();
ServiceError unavailable();
ServiceError model_error(std::string_view model_id);
ServiceError model_timeout();
ServiceError unrecognized_client();
ServiceError expired_token();
ServiceError invalid_signature(std::string message);
ServiceError bad_signature();
// `UnknownOperationException`, whose body is XML even here.
Reply unknown_operation();
// What the service would most likely mean by `status`.
ServiceError error_of_status(unsigned status, std::string_view model_id);

}  // namespace understudy::simulator
