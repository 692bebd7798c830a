#pragma once
// What the simulator does around a request, whichever protocol brought it.

#include <string>

#include "tests/simulator/service.h"

namespace understudy::simulator {

std::string http_date();   // now
std::string request_id();  // a random UUID

// The service's reply; where it throws, one that says so, so that it goes on serving.
Reply handled(Service& service, const Request& request);

// Brackets a request in the log, whichever way it ends.
class InFlight {
 public:
  explicit InFlight(RequestLog& log) : log_(log) { log_.began(); }
  ~InFlight() { log_.ended(completed_); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  void complete() { completed_ = true; }

 private:
  RequestLog& log_;
  bool completed_ = false;
};

}  // namespace understudy::simulator
