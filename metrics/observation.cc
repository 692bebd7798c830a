#include "metrics/observation.h"

namespace understudy::metrics {

std::string_view label(Leg leg) noexcept {
  switch (leg) {
    case Leg::served:
      return "served";
    case Leg::shadow:
      return "shadow";
    case Leg::control:
      return "control";
  }
  return "served";
}

std::string_view label(ErrorClass error_class) noexcept {
  switch (error_class) {
    case ErrorClass::ok:
      return "ok";
    case ErrorClass::throttled:
      return "throttled";
    case ErrorClass::client_error:
      return "client_error";
    case ErrorClass::server_error:
      return "server_error";
    case ErrorClass::timeout:
      return "timeout";
    case ErrorClass::transport:
      return "transport";
    case ErrorClass::stream_broken:
      return "stream_broken";
  }
  return "transport";
}

}  // namespace understudy::metrics
