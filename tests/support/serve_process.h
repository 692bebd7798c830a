#pragma once
// `understudy serve` as a process of its own, with its log at hand: what its signals, its config
// file and its ports do together. Owned and asked by one test thread.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace understudy::testing_support {

class ServeProcess {
 public:
  explicit ServeProcess(const std::string& config_file);  // throws where it cannot be started
  // Ends what still runs as an operator does, by SIGTERM. A test fails whose process does not end
  // by that, or not with status 0: keep `drain` short in its config.
  ~ServeProcess();
  ServeProcess(const ServeProcess&) = delete;
  ServeProcess& operator=(const ServeProcess&) = delete;

  void signal(int number) const;

  // The next log line of that event; null when none comes within ten seconds.
  nlohmann::json wait_for_event(const std::string& event);
  // The lines of that event until the log has been quiet for `quiet`.
  std::vector<nlohmann::json> events_until_quiet(const std::string& event,
                                                 std::chrono::milliseconds quiet);
  // What is left of its standard error, once it has ended.
  std::string rest();
  // Its exit status, -1 when a signal ended it.
  int wait_for_end();

 private:
  void end_in_order();
  std::optional<std::string> next_line(std::chrono::milliseconds patience);

  ::pid_t child_ = -1;
  int errors_ = -1;
  std::string received_;
  bool errors_ended_ = false;  // its standard error: it has ended
};

// Of "http://127.0.0.1:8080", as the log's "listening" line tells it.
std::uint16_t port_of(const std::string& url);

}  // namespace understudy::testing_support
