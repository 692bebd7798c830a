#include "tests/simulator/request_log.h"

#include <algorithm>

namespace understudy::simulator {

void RequestLog::add(LoggedRequest request, const std::string& body) {
  constexpr std::size_t kMaxKeptBody = std::size_t{1} << 20;
  constexpr std::size_t kMaxModels = 1000;
  if (keep_bodies_) request.body = body.substr(0, kMaxKeptBody);
  const std::lock_guard lock{mutex_};
  request.sequence = ++counts_.requests;
  ++counts_.by_operation[request.operation];
  if (!request.model.empty() &&
      (counts_.by_model.size() < kMaxModels || counts_.by_model.contains(request.model))) {
    ++counts_.by_model[request.model];
  }
  ++counts_.by_status[request.status];
  if (request.auth != "ok" && request.auth != "not checked") ++counts_.auth_failures;
  requests_.push_back(std::move(request));
  if (requests_.size() > max_requests_) requests_.pop_front();
}

void RequestLog::connected() {
  const std::lock_guard lock{mutex_};
  ++counts_.connections;
}

void RequestLog::began() {
  const std::lock_guard lock{mutex_};
  ++counts_.in_flight;
}

void RequestLog::ended(bool completed) {
  const std::lock_guard lock{mutex_};
  --counts_.in_flight;
  ++(completed ? counts_.completed : counts_.abandoned);
}

std::vector<LoggedRequest> RequestLog::after(std::uint64_t sequence) const {
  const std::lock_guard lock{mutex_};
  const auto first =
      std::find_if(requests_.begin(), requests_.end(),
                   [&](const LoggedRequest& request) { return request.sequence > sequence; });
  return {first, requests_.end()};
}

Counts RequestLog::counts() const {
  const std::lock_guard lock{mutex_};
  return counts_;
}

}  // namespace understudy::simulator
