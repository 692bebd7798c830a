// bench-peer: the fake Bedrock upstream and the load generator of the proxy bench, in one process
// on one thread.
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <system_error>

#include "bench/peer/load.h"

namespace understudy::bench {
namespace {

constexpr std::string_view kHelp =
    R"(bench-peer: fake Bedrock upstream and load generator in one process

Listens on three loopback ports, prints them as one JSON line, then obeys lines of standard input (a pipe or a terminal)
and prints one JSON line for each:

  closed    every connection asks again at once: throughput      connections=32 requests=0 (0: by time)
  open      requests at random times, timed from the schedule    rate=1000 connections=32
  streams   event streams; first byte, age of each chunk         connections=50 deltas=25 interval_ms=10
  hold      opens connections and keeps them                     connections=1000 kind=idle|stream interval_ms=1000
  release   closes what `hold` opened
  sequence  one after the other on one connection                requests=3 timeout=3
  counters  what the upstream answered since the start

All loads: target=PORT warmup=0.5 seconds=3 body=2048 auth=sigv4|bearer pid=0 (a process whose CPU time is to be taken).
Every answer is checked byte for byte; `errors` must be 0 for a run to count. Ends with its standard input.

  (echo closed target=8080 seconds=1; sleep 3) | bench-peer
  bench-peer --small-answer 1536 --large-answer 4096
)";

// Lines of standard input, as the loop finds them.
class Input final : public Watcher {
 public:
  explicit Input(Loop& loop) { loop.watch(STDIN_FILENO, EPOLLIN, this); }
  void on_ready(std::uint32_t) override {
    std::array<char, 4096> buffer;
    const ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) return;
    if (size <= 0) {
      ended_ = true;
      return;
    }
    text_.append(buffer.data(), static_cast<std::size_t>(size));
  }
  std::optional<std::string> next_line() {
    const std::size_t end = text_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
  }
  bool ended() const { return ended_; }

 private:
  std::string text_;
  bool ended_ = false;
};

class Peer {
 public:
  Peer(std::size_t small_answer, std::size_t large_answer)
      : upstream_(loop_, small_answer, large_answer), input_(loop_) {}

  int run() {
    say({{"event", "listening"},
         {"primary", upstream_.primary_port()},
         {"candidate", upstream_.candidate_port()},
         {"hung", upstream_.hung_port()}});
    for (;;) {
      while (const std::optional<std::string> line = input_.next_line()) say(obey(*line));
      if (input_.ended()) return EXIT_SUCCESS;
      loop_.turn();
    }
  }

 private:
  static void say(const nlohmann::json& message) { std::cout << message.dump() << std::endl; }

  nlohmann::json obey(const std::string& line) {
    try {
      const Command command(line);
      if (command.verb() == "release") {
        held_.reset();
        return {{"released", true}};
      }
      if (command.verb() == "counters") return upstream_.counters().since({});
      return run_load(command);
    } catch (const std::exception& problem) {
      return {{"error", problem.what()}};
    }
  }

  nlohmann::json run_load(const Command& command) {
    using Maker = std::unique_ptr<Load> (*)(Loop&, Upstream&, const Command&);
    static const std::map<std::string, Maker> kLoads = {{"closed", closed_loop},
                                                        {"open", open_loop},
                                                        {"streams", streams},
                                                        {"hold", hold},
                                                        {"sequence", sequence}};
    const auto maker = kLoads.find(command.verb());
    if (maker == kLoads.end()) return {{"error", "unknown command: " + command.verb()}};
    std::unique_ptr<Load> load = maker->second(loop_, upstream_, command);
    command.refuse_unread();
    load->start();
    while (!load->finished()) loop_.turn();
    nlohmann::json report = load->report();
    if (command.verb() == "hold") held_ = std::move(load);
    return report;
  }

  Loop loop_;
  Upstream upstream_;
  Input input_;
  std::unique_ptr<Load> held_;
};

int main_of(std::span<char*> arguments) {
  std::size_t small_answer = 1536, large_answer = 4096;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const bool has_value = i + 1 < arguments.size();
    if (argument == "--help") {
      std::cout << kHelp;
      return EXIT_SUCCESS;
    }
    if (argument == "--small-answer" && has_value) {
      small_answer = std::stoul(arguments[++i]);
    } else if (argument == "--large-answer" && has_value) {
      large_answer = std::stoul(arguments[++i]);
    } else {
      std::cerr << "bench-peer: unknown argument " << argument << "; see --help\n";
      return 2;
    }
  }
  // Timed wake-ups are late by 50 us otherwise, as much as a proxy adds.
  ::prctl(PR_SET_TIMERSLACK, 1);
  return Peer(small_answer, large_answer).run();
}

}  // namespace
}  // namespace understudy::bench

int main(int argc, char** argv) {
  try {
    return understudy::bench::main_of({argv, static_cast<std::size_t>(argc)});
  } catch (const std::exception& problem) {
    std::cerr << "bench-peer: " << problem.what() << '\n';
    return EXIT_FAILURE;
  }
}
