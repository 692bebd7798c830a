#pragma once
// What came in: a bounded log of requests and running counts, so that tests can say what reached
// the upstream. Safe from any thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tests/simulator/message.h"

namespace understudy::simulator {

struct LoggedRequest {
  std::uint64_t sequence = 0;  // from 1, in order of arrival
  std::string method;
  std::string target;
  std::string operation;  // "Converse", ...; "Unknown" for what Bedrock has not
  std::string model;      // decoded model id, empty where there is none
  Headers headers;
  std::size_t body_bytes = 0;
  std::string body_sha256;
  std::string body;     // only with log_bodies, at most 1 MiB
  std::string auth;     // "ok", "not checked" or the error's name
  unsigned status = 0;  // of the answer that was planned; 0 when a fault spoils it before the head
};

struct Counts {
  std::uint64_t requests = 0;
  std::uint64_t connections = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t completed = 0;  // answered to the last byte
  std::uint64_t abandoned = 0;  // the client left first
  std::uint64_t auth_failures = 0;
  std::map<std::string, std::uint64_t> by_operation;
  std::map<std::string, std::uint64_t> by_model;  // at most 1000 names
  std::map<unsigned, std::uint64_t> by_status;
};

class RequestLog {
 public:
  RequestLog(std::size_t max_requests, bool keep_bodies)
      : max_requests_(max_requests), keep_bodies_(keep_bodies) {}

  void add(LoggedRequest request, const std::string& body);
  void connected();
  // The network side brackets every request with these.
  void began();
  void ended(bool completed);

  // Those after `sequence`, oldest first.
  std::vector<LoggedRequest> after(std::uint64_t sequence) const;
  Counts counts() const;

 private:
  const std::size_t max_requests_;
  const bool keep_bodies_;
  mutable std::mutex mutex_;
  std::deque<LoggedRequest> requests_;  // guarded by mutex_
  Counts counts_;                       // guarded by mutex_
};

}  // namespace understudy::simulator
