#include "tests/support/serve_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <utility>

#include "tests/support/socket.h"

namespace understudy::testing_support {

using namespace std::chrono_literals;
using nlohmann::json;

// Spawned, not forked: a test has threads by then.
ServeProcess::ServeProcess(const std::string& config_file) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  errors_ = ends[0];
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::string program = UNDERSTUDY_BINARY, command = "serve", option = "--config",
              file = config_file;
  char* const arguments[] = {program.data(), command.data(), option.data(), file.data(), nullptr};
  const int problem =
      ::posix_spawn(&child_, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (problem != 0) {
    ::close(errors_);
    throw std::runtime_error("cannot start " + program);
  }
}

ServeProcess::~ServeProcess() {
  if (child_ > 0) end_in_order();
  ::close(errors_);
}

// Whatever a sanitizer finds at the end, a leak say, it tells by the exit status and on standard
// error.
void ServeProcess::end_in_order() {
  ::kill(child_, SIGTERM);
  std::string told;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool ended = false;
  while (!ended && std::chrono::steady_clock::now() < deadline) {
    const auto line = next_line(100ms);
    if (line) told += *line + "\n";
    ended = !line && errors_ended_;
  }
  if (!ended) ::kill(child_, SIGKILL);
  const int status = wait_for_end();
  if (!ended)
    ADD_FAILURE() << "the process did not end within " << kPatience.count() << " s of SIGTERM:\n"
                  << told;
  else if (status != 0)
    ADD_FAILURE() << "the process ended with status " << status << ":\n" << told << received_;
}

void ServeProcess::signal(int number) const {
  ::kill(child_, number);
}

json ServeProcess::wait_for_event(const std::string& event) {
  while (const auto line = next_line(10s)) {
    json parsed = json::parse(*line, nullptr, false);
    if (parsed.is_object() && parsed["event"] == event) return parsed;
  }
  return nullptr;
}

std::vector<json> ServeProcess::events_until_quiet(const std::string& event,
                                                   std::chrono::milliseconds quiet) {
  std::vector<json> found;
  while (const auto line = next_line(quiet)) {
    json parsed = json::parse(*line, nullptr, false);
    if (parsed.is_object() && parsed["event"] == event) found.push_back(std::move(parsed));
  }
  return found;
}

std::string ServeProcess::rest() {
  std::string text;
  while (const auto line = next_line(10s)) text += *line + "\n";
  return text;
}

int ServeProcess::wait_for_end() {
  int status = 0;
  ::waitpid(std::exchange(child_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::optional<std::string> ServeProcess::next_line(std::chrono::milliseconds patience) {
  while (true) {
    if (const std::size_t end = received_.find('\n'); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    pollfd ready{errors_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
    char chunk[4096];
    const ::ssize_t got = ::read(errors_, chunk, sizeof chunk);
    errors_ended_ = got <= 0;
    if (errors_ended_) return std::nullopt;
    received_.append(chunk, static_cast<std::size_t>(got));
  }
}

std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
}

}  // namespace understudy::testing_support
