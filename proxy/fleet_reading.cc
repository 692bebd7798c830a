#include "proxy/fleet_reading.h"

namespace understudy::proxy {

std::string fleet_identity(std::string_view experiment, std::string_view canary) {
  return std::string(experiment).append("/").append(canary);
}

}  // namespace understudy::proxy
