// bedrock-simulator: the command line around Simulator.

#include <pthread.h>
#include <signal.h>

#include <charconv>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/simulator/config_loader.h"
#include "tests/simulator/simulator.h"

namespace {

using understudy::simulator::load_config_file;
using understudy::simulator::LoadResult;
using understudy::simulator::Simulator;

constexpr int kUsage = 2;
constexpr int kBadConfig = 78;

constexpr std::string_view kHelp =
    R"(bedrock-simulator: a faithful Amazon Bedrock Runtime on loopback

  bedrock-simulator --config simulator.yaml [--port N] [--print-port]

  --config FILE   the models and how they behave (required)
  --port N        listen on port N instead of the config's; 0 lets the system choose
  --print-port    write the port alone to standard output once it serves
  --help          this text

It serves Converse, ConverseStream, InvokeModel, InvokeModelWithResponseStream, CountTokens, ApplyGuardrail, the
asynchronous calls, the second wire (Anthropic Messages and their count of tokens, OpenAI Chat Completions and Responses),
of the control plane /foundation-models and /inference-profiles, and of Service Quotas
ListServiceQuotas, over HTTP/1.1 and HTTP/2 (with prior knowledge, as the AWS SDKs do it).
InvokeModelWithBidirectionalStream answers with the events it is sent; the signature of its head is checked, those of the
events are not. Try it:

  AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:PORT aws bedrock-runtime converse --model-id ID \
      --messages '[{"role":"user","content":[{"text":"Hello"}]}]'

A smallest config (deploy/simulator.yaml shows every key):

  listen: 127.0.0.1:8090
  models:
    - {id: "anthropic.claude-sonnet-4-5-20250929-v1:0", family: anthropic}

One request can ask for trouble by headers, which a proxy passes on:

  x-sim-fault: NAME       none, hang, reset, truncate_midstream[:N], hang_midstream[:N], garbage, garbage_head, huge,
                          slow_headers[:MS], close_after_head, close_after_reply, bad_crc[:N],
                          exception_midstream:NAME[:N]
  x-sim-status: N         the error of that status, 400 to 599
  x-sim-latency-ms: N     milliseconds before the answer begins
  x-sim-stream-bytes: N   with a model of family echo: stream N bytes

On the same port, for tests and the curious:

  GET  /_simulator/counts               requests by operation, model and status; connections; in flight; abandoned
  GET  /_simulator/requests?after=N     the last requests: headers, body hash and length, result of authentication
  POST /_simulator/models/ID            {"fault": "hang"}, {"first_token_ms": 300}, {"throttle_percent": 5},
                                        {"refuse_percent": 10}, ... from the next request on

Exit status: 0 after SIGINT or SIGTERM, 1 when the address cannot be bound, 2 usage, 78 bad config.
)";

struct Options {
  std::string config;
  std::optional<std::uint16_t> port;
  bool print_port = false;
  bool help = false;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (name == "--help") {
      options.help = true;
    } else if (name == "--print-port") {
      options.print_port = true;
    } else if (name == "--config" && value != nullptr) {
      options.config = argv[++i];
    } else if (name == "--port" && value != nullptr) {
      const std::string_view text = argv[++i];
      std::uint16_t port = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
      if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
      options.port = port;
    } else {
      return std::nullopt;
    }
  }
  if (!options.help && options.config.empty()) return std::nullopt;
  return options;
}

// Blocked before any thread starts, so that only wait_for_signal sees them.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int serve(const Options& options) {
  LoadResult loaded = load_config_file(options.config);
  if (!loaded.problems.empty()) {
    for (const std::string& problem : loaded.problems) std::cerr << problem << "\n";
    return kBadConfig;
  }
  if (options.port) loaded.config.port = *options.port;
  const sigset_t signals = block_signals();
  const auto simulator = Simulator::start(std::move(loaded.config));
  if (options.print_port) {
    std::cout << simulator->port() << std::endl;
  } else {
    std::cout << "bedrock-simulator serves on " << simulator->url() << std::endl;
  }
  int received = 0;
  sigwait(&signals, &received);
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    std::cerr << "bedrock-simulator: usage: bedrock-simulator --config FILE [--port N] "
                 "[--print-port]; see --help\n";
    return kUsage;
  }
  if (options->help) {
    std::cout << kHelp;
    return EXIT_SUCCESS;
  }
  try {
    return serve(*options);
  } catch (const std::exception& problem) {
    std::cerr << "bedrock-simulator: " << problem.what() << "\n";
    return EXIT_FAILURE;
  }
}
