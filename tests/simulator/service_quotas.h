#pragma once
// Service Quotas' ListServiceQuotas (awsJson1_1): POST / with its name in x-amz-target. The quotas
// are those of the config, page by page. Pure.

#include "tests/simulator/config.h"
#include "tests/simulator/message.h"

namespace understudy::simulator {

bool asks_for_quotas(const Request& request);
Reply list_service_quotas(const Request& request, const Config& config);

}  // namespace understudy::simulator
