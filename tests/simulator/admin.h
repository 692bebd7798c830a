#pragma once
// The simulator's own endpoint under /_simulator/: what came in, and changes to models at run time.
// Never logged, counted or authenticated.

#include <string_view>

#include "tests/simulator/message.h"
#include "tests/simulator/service.h"

namespace understudy::simulator {

bool is_admin(std::string_view path);
Reply handle_admin(Service& service, const Request& request);

}  // namespace understudy::simulator
