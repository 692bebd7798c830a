#pragma once
// What the serve command asks of the operating system. Main thread only.

#include <chrono>
#include <optional>

namespace understudy::proxy {

// No core dumps and no ptrace by others (memory holds credentials and content), no SIGPIPE, and as
// many open files as the hard limit allows.
void prepare_process();

// Takes SIGHUP, SIGTERM and SIGINT out of delivery in this thread and all that it starts
// afterwards.
class Signals {
 public:
  Signals();
  // The next one; none when the time has passed. Without a limit it waits for good.
  std::optional<int> wait(std::optional<std::chrono::milliseconds> limit);
  // From here on SIGTERM and SIGINT end the process at once, with status 1.
  void next_one_ends_the_process();
};

}  // namespace understudy::proxy
