#include "routing/canary_config.h"

namespace understudy::routing {

std::string_view label(OperationalGate gate) noexcept {
  switch (gate) {
    case OperationalGate::error_rate:
      return "error_rate";
    case OperationalGate::latency:
      return "latency";
    case OperationalGate::first_token:
      return "first_token";
    case OperationalGate::cost:
      return "cost";
    case OperationalGate::fallback_rate:
      return "fallback_rate";
  }
  return "error_rate";
}

}  // namespace understudy::routing
