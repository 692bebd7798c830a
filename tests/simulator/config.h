#pragma once
// What `bedrock-simulator` is told to be: plain values with defaults. Loaded by config_loader,
// never changed after that except for Model, of which ModelTable publishes new copies at run time.
// Times are milliseconds of the simulated model.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulator/fault.h"

namespace understudy::simulator {

// The body format of InvokeModel; Converse serves them all. `echo` answers with the bytes it was
// sent.
enum class Family : std::uint8_t { anthropic, nova, llama, mistral, titan, echo };

enum class Lifecycle : std::uint8_t { active, legacy, legacy_inactive, end_of_life };

enum class AnswerKind : std::uint8_t { text, json, tools, mixed };

enum class AuthMode : std::uint8_t { none, sigv4, bearer, any };

// Milliseconds drawn per request: `median` alone is constant, with `sigma` above 0 it is lognormal.
struct Latency {
  double median = 0;
  double sigma = 0;
};

struct AnswerStyle {
  AnswerKind kind = AnswerKind::mixed;
  std::uint32_t min_tokens = 40;  // of 4 characters, before verbosity
  std::uint32_t max_tokens = 120;
  double verbosity = 1;
  double fence_json_percent = 0;
  double json_rename_percent = 0;  // share of JSON answers whose first key has another name
  double refuse_percent = 0;
  double tool_rename_percent = 0;
  double tool_retype_percent = 0;    // share of tool calls whose first argument has another type
  double tool_parallel_percent = 0;  // share of tool calls that come with a second one
  double cut_percent = 0;            // share of texts that break off as if max_tokens were reached
  double german_percent = 0;         // share of texts in German
  double markdown_percent = 0;
  double thinking_percent = 0;
  double paraphrase_percent = 0;  // share of sentences in words of this model's own
  double resample_percent = 0;    // share of requests answered anew each time, as temperature does
};

// Percent of requests that fail in each way, drawn in this order.
struct ErrorRates {
  double throttle = 0;
  double not_ready = 0;
  double internal = 0;
  double unavailable = 0;
  double model_error = 0;
  double model_timeout = 0;
};

// Request parameters that the model refuses with the texts of newer model generations.
struct Rejections {
  bool temperature = false;
  bool top_p = false;
  bool top_k = false;
  bool temperature_and_top_p = false;
  bool thinking_enabled = false;
  bool prefill = false;
  bool forced_tool_choice = false;
  bool cache_control = false;
  bool beta = false;
};

struct Model {
  std::vector<std::string> ids{};  // exact or with `*`; the first is the model's name
  std::string name{};
  std::string provider{};
  Family family = Family::anthropic;
  bool inference_profile_only = false;
  std::vector<std::string> profiles{"us", "global"};  // listed by GET /inference-profiles
  Lifecycle lifecycle = Lifecycle::active;
  std::string legacy_time{};       // ISO 8601, told by the control plane
  std::string end_of_life_time{};  // ISO 8601
  std::uint32_t max_output_tokens = 64000;
  std::uint64_t context_tokens = 200000;
  double tokenizer_factor = 1;
  Latency first_token_ms{};
  Latency per_token_ms{};
  AnswerStyle answer{};
  ErrorRates errors{};
  Rejections rejects{};
  Fault fault{};
};

struct AccessKey {
  std::string id{};
  std::string secret{};
  std::string session_token{};  // empty for long-term keys
  bool expired = false;
};

struct Auth {
  AuthMode mode = AuthMode::none;
  std::string region = "us-east-1";
  std::string service = "bedrock";
  std::vector<std::string> more_services{};  // signed for just as well: bedrock-mantle
  std::vector<AccessKey> keys{};
  std::vector<std::string> bearer_tokens{};
  std::vector<std::string> expired_bearer_tokens{};
};

struct Quota {
  std::string name{};  // as Service Quotas have it
  double value = 0;
};

struct Config {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::uint32_t threads = 1;
  std::uint64_t seed = 1;
  // Ids and latencies inside bodies are then drawn from the request too, so that equal requests get
  // equal bytes.
  bool deterministic = false;
  std::string account = "123456789012";
  std::size_t max_body_bytes = std::size_t{64} << 20;
  std::size_t log_requests = 1000;  // kept for /_simulator/requests
  bool log_bodies = false;          // up to 1 MiB of each
  Auth auth{};
  std::vector<Model> models{};
  std::vector<Quota> quotas{};      // that Service Quotas tell
  std::size_t quotas_a_page = 100;  // at most
};

}  // namespace understudy::simulator
