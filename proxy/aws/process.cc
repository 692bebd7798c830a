// credential_process: a program of the user's, run without a shell, whose standard output is the
// credentials as JSON. It gets no descriptor of ours but its three standard ones.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "proxy/aws/answers.h"
#include "proxy/aws/fetch.h"

namespace understudy::proxy::aws {
namespace {

namespace asio = boost::asio;

// Between two looks whether a program that has closed its output has ended.
constexpr std::chrono::milliseconds kLook{5};

Error process_error(ErrorKind kind, const ProcessSource& source, std::string_view what) {
  return {kind, Side::upstream, "process " + source.command.front() + ": " + std::string(what)};
}

// A child in a process group of its own; killed with all its kin and reaped when this ends.
class Child {
 public:
  Child() = default;
  ~Child() {
    kill();
    // Cannot wait long: it is dead or about to be.
    if (pid_ > 0) ::waitpid(pid_, &status_, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // 0, or the error number.
  int start(const std::vector<std::string>& command, int output) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    pid_t pid = 0;
    const int failure =
        posix_spawnp(&pid, arguments.front(), &files, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (failure == 0) pid_ = pid;
    return failure;
  }

  void kill() noexcept {
    if (pid_ > 0) ::kill(-pid_, SIGKILL);
  }

  // True once it has ended.
  bool ended() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) {
      ::kill(-pid_, SIGKILL);  // what it left behind
      pid_ = 0;
    }
    return pid_ == 0;
  }
  bool well() const { return WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }
  std::string how() const {
    return WIFEXITED(status_) ? "exit status " + std::to_string(WEXITSTATUS(status_))
                              : "signal " + std::to_string(WTERMSIG(status_));
  }

 private:
  pid_t pid_ = 0;
  int status_ = 0;
};

Task<bool> read_all(asio::posix::stream_descriptor& output, std::size_t max_bytes,
                    std::string& text) {
  std::array<char, 4096> chunk;
  while (true) {
    const auto [error, size] = co_await output.async_read_some(asio::buffer(chunk), kAsTuple);
    if (error) co_return true;
    if (size > max_bytes - text.size()) co_return false;
    text.append(chunk.data(), size);
  }
}

}  // namespace

Task<Result<Credentials>> fetch_from_process(FetchThread& thread, const CredentialPlan& plan,
                                             const ProcessSource& source) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    co_return process_error(ErrorKind::internal, source, "no pipe");
  asio::posix::stream_descriptor output(thread.resources.context, ends[0]);
  Child child;
  const int failure = child.start(source.command, ends[1]);
  ::close(ends[1]);
  if (failure != 0) {
    co_return process_error(ErrorKind::credentials, source,
                            std::error_code(failure, std::generic_category()).message());
  }
  bool stopped = false;
  const Watch watch(thread, plan.timeout, [&] {
    stopped = true;
    child.kill();
    boost::system::error_code ignored;
    output.close(ignored);
  });
  std::string text;
  const bool bounded = co_await read_all(output, plan.max_answer_bytes, text);
  if (!bounded) {
    co_return process_error(ErrorKind::too_large, source,
                            "its output exceeds credentials.max_answer_bytes");
  }
  asio::steady_timer pause(thread.resources.context);
  while (!stopped && !child.ended()) {
    pause.expires_after(kLook);
    co_await pause.async_wait(kAsTuple);
  }
  if (watch.timed_out()) {
    co_return process_error(ErrorKind::timeout, source,
                            "did not end within credentials.timeout (" +
                                std::to_string(plan.timeout.count()) + " ms) and was killed");
  }
  if (stopped) co_return process_error(ErrorKind::cancelled, source, "stopped");
  if (!child.well())
    co_return process_error(ErrorKind::credentials, source, "ended with " + child.how());
  auto credentials = read_process_answer(text);
  if (!credentials)
    co_return process_error(credentials.error().kind, source, credentials.error().context);
  co_return credentials;
}

}  // namespace understudy::proxy::aws
