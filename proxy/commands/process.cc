#include "proxy/commands/process.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "proxy/commands/command_line.h"

namespace understudy::proxy {
namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  return set;
}

// Nothing but system calls: this runs in the middle of whatever the process does.
void end_now(int) {
  constexpr std::string_view kLine =
      "{\"level\":\"warn\",\"event\":\"cut_short\",\"why\":\"second signal\"}\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kLine.data(), kLine.size());
  ::_exit(kExitNegative);
}

}  // namespace

void prepare_process() {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

Signals::Signals() {
  const sigset_t ours = set_of({SIGHUP, SIGTERM, SIGINT});
  ::pthread_sigmask(SIG_BLOCK, &ours, nullptr);
}

std::optional<int> Signals::wait(std::optional<std::chrono::milliseconds> limit) {
  using std::chrono::milliseconds;
  const sigset_t ours = set_of({SIGHUP, SIGTERM, SIGINT});
  while (true) {
    int signal = 0;
    if (limit) {
      const milliseconds left = std::max(*limit, milliseconds(0));
      const timespec time{.tv_sec = left.count() / 1000,
                          .tv_nsec = left.count() % 1000 * 1'000'000};
      signal = ::sigtimedwait(&ours, nullptr, &time);
    } else {
      signal = ::sigwaitinfo(&ours, nullptr);
    }
    if (signal > 0) return signal;
    if (errno == EAGAIN) return std::nullopt;
    // EINTR: a debugger or a stop; the limit starts again, which harms nobody.
  }
}

void Signals::next_one_ends_the_process() {
  struct sigaction action {};
  action.sa_handler = end_now;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  const sigset_t endings = set_of({SIGTERM, SIGINT});
  ::pthread_sigmask(SIG_UNBLOCK, &endings, nullptr);
}

}  // namespace understudy::proxy
