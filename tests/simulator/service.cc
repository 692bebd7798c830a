#include "tests/simulator/service.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <random>

#include "tests/simulator/admin.h"
#include "tests/simulator/authentication.h"
#include "tests/simulator/base64.h"
#include "tests/simulator/control_plane.h"
#include "tests/simulator/event_sources.h"
#include "tests/simulator/operations.h"
#include "tests/simulator/parameter_rules.h"
#include "tests/simulator/prompt.h"
#include "tests/simulator/random.h"
#include "tests/simulator/second_wire.h"
#include "tests/simulator/service_error.h"
#include "tests/simulator/service_quotas.h"

namespace understudy::simulator {
namespace {

template <class Number>
std::optional<Number> number_header(const Request& request, std::string_view name) {
  const std::string_view text = request.header(name);
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_stream(Operation operation) {
  return operation == Operation::converse_stream ||
         operation == Operation::invoke_model_with_response_stream;
}

bool names_model(Operation operation) {
  return is_stream(operation) || operation == Operation::converse ||
         operation == Operation::invoke_model || operation == Operation::count_tokens ||
         operation == Operation::invoke_model_with_bidirectional_stream;
}

bool flows_both_ways(Operation operation) {
  return operation == Operation::invoke_model_with_bidirectional_stream;
}

bool is_converse(Operation operation) {
  return operation == Operation::converse || operation == Operation::converse_stream;
}

std::optional<ServiceError> drawn_error(const ErrorRates& rates, std::string_view model_id,
                                        Random random) {
  double draw = random.unit() * 100;
  const auto falls_in = [&](double share) { return (draw -= share) < 0; };
  if (falls_in(rates.throttle)) return throttled();
  if (falls_in(rates.not_ready)) return model_not_ready();
  if (falls_in(rates.internal)) return internal_error();
  if (falls_in(rates.unavailable)) return unavailable();
  if (falls_in(rates.model_error)) return model_error(model_id);
  if (falls_in(rates.model_timeout)) return model_timeout();
  return std::nullopt;
}

std::optional<ServiceError> check_lifecycle(const Model& model, const ModelReference& reference) {
  if (model.lifecycle == Lifecycle::end_of_life) return end_of_life();
  if (model.lifecycle == Lifecycle::legacy_inactive) return legacy_inactive();
  if (model.inference_profile_only && !reference.profile)
    return needs_inference_profile(reference.full);
  return std::nullopt;
}

ServiceError malformed(std::string_view what) {
  return validation("Malformed input request: " + std::string{what} +
                    ", please reformat your input and try again.");
}

std::uint64_t whole_ms(double ms) {
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(ms)));
}

void add_invoke_headers(Reply& reply, const Request& request, const Model& model,
                        const Usage& usage, std::uint64_t latency_ms) {
  const auto add = [&](const char* name, std::uint64_t value) {
    reply.headers.emplace_back(name, std::to_string(value));
  };
  if (model.family == Family::anthropic || model.family == Family::nova) {
    add("X-Amzn-Bedrock-Cache-Read-Input-Token-Count", usage.cache_read);
    add("X-Amzn-Bedrock-Cache-Write-Input-Token-Count", usage.cache_write);
  }
  add("X-Amzn-Bedrock-Input-Token-Count", usage.input);
  add("X-Amzn-Bedrock-Invocation-Latency", latency_ms);
  add("X-Amzn-Bedrock-Output-Token-Count", usage.output);
  for (const char* echoed :
       {"X-Amzn-Bedrock-PerformanceConfig-Latency", "X-Amzn-Bedrock-Service-Tier"}) {
    if (const auto value = request.header(echoed); !value.empty())
      reply.headers.emplace_back(echoed, value);
  }
}

Reply stream_reply(EventSource events, bool invoke) {
  Reply reply;
  reply.headers = {{"Content-Type", "application/vnd.amazon.eventstream"}};
  if (invoke) reply.headers.emplace_back("X-Amzn-Bedrock-Content-Type", "application/json");
  reply.events = std::move(events);
  return reply;
}

}  // namespace

struct Service::Call {
  const Request& request;
  ParsedOperation parsed;
  std::string body_sha256;
  std::uint64_t sequence;
  std::string auth = "not checked";
  ModelReference reference;
  nlohmann::json body;  // of the second wire
};

Service::Service(Config config)
    : config_(std::move(config)),
      instance_(config_.deterministic ? 0 : mix(std::random_device{}())),
      models_(config_.models),
      log_(config_.log_requests, config_.log_bodies) {}

Reply Service::handle(const Request& request) {
  if (is_admin(request.path())) return handle_admin(*this, request);
  Call call{.request = request,
            .parsed = parse_operation(request.method, request.path()),
            .body_sha256 = {},
            .sequence = sequence_++,
            .reference = {},
            .body = {}};
  // A stream of signed events has no body that its head could cover.
  call.body_sha256 = flows_both_ways(call.parsed.operation) ? "STREAMING-AWS4-HMAC-SHA256-EVENTS"
                                                            : sha256_hex(request.body);
  if (asks_for_quotas(request)) call.parsed.operation = Operation::list_service_quotas;
  if (names_model_in_body(call.parsed.operation)) {
    call.body = parse_json(request.body).value_or(nullptr);
    call.reference = parse_model_reference(model_in(call.body));
  }
  if (names_model(call.parsed.operation)) {
    call.reference = parse_model_reference(call.parsed.resource);
  }
  Reply reply = answer(call);
  if (const auto fault = parse_fault(request.header("x-sim-fault"))) reply.fault = *fault;
  if (const auto ms = number_header<double>(request, "x-sim-latency-ms"))
    reply.delay_ms = std::clamp(*ms, 0.0, 3.6e6);
  spoil(reply);
  const bool headless = reply.fault.kind == FaultKind::hang ||
                        reply.fault.kind == FaultKind::reset ||
                        reply.fault.kind == FaultKind::garbage_head;
  log_.add({.method = request.method,
            .target = request.target,
            .operation = std::string{name_of(call.parsed.operation)},
            .model = call.reference.full,
            .headers = request.headers,
            .body_bytes = request.body.size(),
            .body_sha256 = call.body_sha256,
            .body = {},
            .auth = call.auth,
            .status = headless ? 0 : reply.status},
           request.body);
  return reply;
}

Reply Service::answer(Call& call) {
  if (call.parsed.operation == Operation::unknown) return unknown_operation();
  if (config_.auth.mode != AuthMode::none) {
    Auth auth = config_.auth;
    if (call.parsed.operation == Operation::list_service_quotas) auth.service = "servicequotas";
    const auto error =
        authenticate(auth, call.request, call.body_sha256, std::chrono::system_clock::now());
    call.auth = error ? error->type : "ok";
    if (error) return to_reply(*error, wire_of(call.parsed.operation));
  }
  if (const auto status = number_header<unsigned>(call.request, "x-sim-status");
      status && *status >= 400 && *status <= 599) {
    return to_reply(error_of_status(*status, call.parsed.resource), wire_of(call.parsed.operation));
  }
  if (names_model_in_body(call.parsed.operation)) return call_second_wire(call);
  return names_model(call.parsed.operation) ? call_model(call) : call_control_plane(call);
}

Reply Service::call_control_plane(const Call& call) {
  const std::string& resource = call.parsed.resource;
  switch (call.parsed.operation) {
    case Operation::apply_guardrail:
      return apply_guardrail(call.request);
    case Operation::invoke_guardrail_checks:
      return invoke_guardrail_checks(call.request);
    case Operation::start_async_invoke:
      return start_async_invoke(call.request, config_);
    case Operation::get_async_invoke:
      return get_async_invoke(resource, config_);
    case Operation::list_async_invokes:
      return list_async_invokes(call.request.query(), config_);
    case Operation::list_foundation_models:
      return list_foundation_models(models_.all(), config_);
    case Operation::list_inference_profiles:
      return list_inference_profiles(models_.all(), config_, call.request.query());
    case Operation::list_models:
      return list_models(models_.all());
    case Operation::list_service_quotas:
      return list_service_quotas(call.request, config_);
    case Operation::get_inference_profile:
      return get_inference_profile(models_.all(), config_, resource);
    default:
      break;
  }
  const auto model = models_.find(parse_model_reference(resource));
  if (!model) return to_reply(invalid_model());
  if (call.parsed.operation == Operation::get_foundation_model)
    return get_foundation_model(*model, config_);
  return foundation_model_availability(*model);
}

Reply Service::call_model(const Call& call) {
  const auto model = models_.find(call.reference);
  if (!model) return to_reply(invalid_model());
  if (const auto error = check_lifecycle(*model, call.reference)) return to_reply(*error);
  const Random luck{hash(config_.seed ^ call.sequence, model->ids.front())};
  Reply reply;
  if (const auto error = drawn_error(model->errors, call.reference.base, luck)) {
    reply = to_reply(*error);
  } else if (flows_both_ways(call.parsed.operation)) {
    reply.headers = {{"Content-Type", "application/vnd.amazon.eventstream"}};
    reply.both_ways = true;
  } else if (model->family == Family::echo && !is_converse(call.parsed.operation)) {
    reply = echo(call, *model);
  } else {
    reply = run_model(call, *model);
  }
  reply.fault = model->fault;
  return reply;
}

Reply Service::call_second_wire(const Call& call) {
  const Operation operation = call.parsed.operation;
  const Wire wire = wire_of(operation);
  if (!call.body.is_object())
    return to_reply(validation("The request body is not valid JSON"), wire);
  const auto model = models_.find(call.reference);
  if (!model) return to_reply(unknown_model(call.reference.full), wire);
  const Random luck{hash(config_.seed ^ call.sequence, model->ids.front())};
  if (const auto error = drawn_error(model->errors, call.reference.base, luck))
    return to_reply(*error, wire);
  PromptResult read = read_second_wire(operation, call.body);
  if (!read.problem.empty()) return to_reply(validation(std::move(read.problem)), wire);
  if (const auto error = check_parameters(read.prompt, *model, false))
    return to_reply(*error, wire);
  if (operation == Operation::messages_count_tokens) {
    const auto tokens = count_tokens(read.prompt.characters, model->tokenizer_factor);
    return json_reply("{\"input_tokens\":" + std::to_string(tokens) + "}");
  }
  const AnswerSeeds seeds = seeds_for(read.prompt, *model);
  Answer answer = make_answer(read.prompt, *model, seeds);
  count_cached_tokens(read.prompt, *model, answer.usage);
  Reply reply = second_wire_reply(operation, call.body, answer,
                                  {.model_id = call.reference.base,
                                   .latency_ms = whole_ms(answer.total_ms()),
                                   .first_byte_ms = whole_ms(answer.first_token_ms),
                                   .padding_seed = seeds.style});
  reply.delay_ms = reply.events ? answer.first_token_ms : answer.total_ms();
  reply.fault = model->fault;
  return reply;
}

Reply Service::run_model(const Call& call, const Model& model) {
  if (call.parsed.operation == Operation::count_tokens) return count_tokens_of(call, model);
  const auto body = parse_json(call.request.body);
  if (!body || !body->is_object()) return to_reply(malformed("the body is no JSON object"));
  const bool converse = is_converse(call.parsed.operation);
  PromptResult read = converse ? read_converse(*body) : read_invoke(model.family, *body);
  if (!read.problem.empty()) return to_reply(validation(std::move(read.problem)));
  if (const auto error = check_parameters(read.prompt, model, converse)) return to_reply(*error);

  const AnswerSeeds seeds = seeds_for(read.prompt, model);
  Answer answer = make_answer(read.prompt, model, seeds);
  count_cached_tokens(read.prompt, model, answer.usage);
  const RenderContext context{.model_id = call.reference.base,
                              .latency_ms = whole_ms(answer.total_ms()),
                              .first_byte_ms = whole_ms(answer.first_token_ms),
                              .padding_seed = seeds.style};
  return write(call, model, answer, context);
}

Reply Service::write(const Call& call, const Model& model, const Answer& answer,
                     const RenderContext& context) const {
  Reply reply;
  switch (call.parsed.operation) {
    case Operation::converse_stream:
      reply = stream_reply(from_events(converse_events(answer, context)), false);
      break;
    case Operation::invoke_model_with_response_stream:
      reply = stream_reply(from_events(invoke_events(model.family, answer, context)), true);
      break;
    case Operation::invoke_model:
      reply = json_reply(invoke_body(model.family, answer, context));
      add_invoke_headers(reply, call.request, model, answer.usage, context.latency_ms);
      break;
    default:
      reply = json_reply(converse_body(answer, context));
      break;
  }
  reply.delay_ms = is_stream(call.parsed.operation) ? answer.first_token_ms : answer.total_ms();
  return reply;
}

Reply Service::echo(const Call& call, const Model& model) const {
  constexpr std::size_t kChunkBytes = std::size_t{16} << 10;
  if (call.parsed.operation == Operation::invoke_model) {
    Reply reply;
    reply.headers = {{"Content-Type", "application/octet-stream"}};
    reply.body = call.request.body;
    reply.delay_ms = model.first_token_ms.median;
    return reply;
  }
  if (call.parsed.operation == Operation::count_tokens) {
    return json_reply(
        "{\"inputTokens\":" + std::to_string(count_tokens(call.request.body.size(), 1)) + "}");
  }
  const double delay = model.per_token_ms.median;
  const auto bytes = number_header<std::uint64_t>(call.request, "x-sim-stream-bytes");
  Reply reply = stream_reply(bytes ? filler_events(*bytes, kChunkBytes, delay)
                                   : echo_events(call.request.body, kChunkBytes, delay),
                             true);
  reply.delay_ms = model.first_token_ms.median;
  return reply;
}

Reply Service::count_tokens_of(const Call& call, const Model& model) {
  const auto body = parse_json(call.request.body);
  if (!body || !body->is_object() || !body->contains("input") || !(*body)["input"].is_object()) {
    return to_reply(malformed("#: required key [input] not found"));
  }
  const auto& input = (*body)["input"];
  PromptResult read;
  if (input.contains("converse")) {
    read = read_converse(input["converse"]);
  } else if (input.contains("invokeModel") && input["invokeModel"].is_object()) {
    const std::string encoded = input["invokeModel"].value("body", nlohmann::json{}).is_string()
                                    ? input["invokeModel"]["body"].get<std::string>()
                                    : std::string{};
    const auto inner = parse_json(base64_decode(encoded).value_or(""));
    if (!inner) return to_reply(malformed("the body of invokeModel is no base64 of a JSON object"));
    read = read_invoke(model.family, *inner);
  } else {
    return to_reply(malformed("#/input: exactly one of converse and invokeModel is required"));
  }
  if (!read.problem.empty()) return to_reply(validation(std::move(read.problem)));
  constexpr std::uint64_t kMaxCounted = 200000;
  const std::uint64_t tokens = count_tokens(read.prompt.characters, model.tokenizer_factor);
  return json_reply("{\"inputTokens\":" + std::to_string(std::min(tokens, kMaxCounted)) + "}");
}

AnswerSeeds Service::seeds_for(const Prompt& prompt, const Model& model) {
  AnswerSeeds seeds;
  seeds.content = mix(prompt.fingerprint ^ config_.seed);
  seeds.style = hash(seeds.content, model.ids.front());
  seeds.identity = seeds.style;
  if (config_.deterministic) return seeds;
  const std::uint64_t draw = mix(sequence_++ ^ instance_);
  seeds.identity = draw;
  if (Random{draw}.percent(model.answer.resample_percent)) {
    seeds.content = mix(draw);
    seeds.style = hash(seeds.content, model.ids.front());
  }
  return seeds;
}

// The first request with a prefix writes it, later ones read it. A deterministic answer cannot know
// who came before: it reads.
void Service::count_cached_tokens(const Prompt& prompt, const Model& model, Usage& usage) {
  constexpr std::size_t kMaxPrefixes = 10000;
  if (prompt.cached_characters == 0) return;
  const std::uint64_t tokens = count_tokens(prompt.cached_characters, model.tokenizer_factor);
  bool known = config_.deterministic;
  if (!known) {
    const std::lock_guard lock{cache_mutex_};
    if (cached_prefixes_.size() >= kMaxPrefixes) cached_prefixes_.clear();
    known = !cached_prefixes_.insert(hash(prompt.cached_fingerprint, model.ids.front())).second;
  }
  (known ? usage.cache_read : usage.cache_write) = tokens;
}

}  // namespace understudy::simulator
