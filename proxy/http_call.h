#pragma once
// One HTTP request and its whole answer, for commands and for threads that may wait. Blocks; any
// thread.

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "proxy/error.h"
#include "routing/config.h"

namespace understudy::proxy {

struct HttpCall {
  routing::Endpoint endpoint;  // https is verified
  std::string method = "GET";
  std::string target{};  // behind the endpoint's path
  std::vector<std::pair<std::string, std::string>> fields{};
  std::string content_type{};
  std::string body{};
  std::string address{};           // of the host, to connect to; empty: whichever answers
  std::string ca_file{};           // trust anchors for https; empty: the system's
  std::string certificate_file{};  // for an https server that asks for one; empty: none is shown
  std::string key_file{};          // and its key
  std::chrono::milliseconds timeout{10'000};  // of all of it
  std::size_t max_answer_bytes = 64u << 20;
};

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

// Redirects are answers like others. The error tells what failed, without the address.
Result<HttpAnswer> call_http(const HttpCall& call);

// The addresses behind a host's name, each once. Blocks.
Result<std::vector<std::string>> addresses_of(const routing::Endpoint& endpoint);

}  // namespace understudy::proxy
