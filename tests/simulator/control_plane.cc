#include "tests/simulator/control_plane.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/simulator/authentication.h"
#include "tests/simulator/prompt.h"
#include "tests/simulator/service_error.h"

namespace understudy::simulator {
namespace {

using nlohmann::json;

constexpr const char* kCreated = "2025-01-01T00:00:00Z";

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool is_glob(std::string_view id) {
  return id.find('*') != std::string_view::npos;
}

std::string model_arn(const Model& model, const Config& config) {
  return "arn:aws:bedrock:" + config.auth.region + "::foundation-model/" + model.ids.front();
}

json model_json(const Model& model, const Config& config) {
  json lifecycle{{"status", model.lifecycle == Lifecycle::active ? "ACTIVE" : "LEGACY"},
                 {"startOfLifeTime", kCreated}};
  if (!model.legacy_time.empty()) lifecycle["legacyTime"] = model.legacy_time;
  if (!model.end_of_life_time.empty()) lifecycle["endOfLifeTime"] = model.end_of_life_time;
  return {{"customizationsSupported", json::array()},
          {"inferenceTypesSupported",
           json::array({model.inference_profile_only ? "INFERENCE_PROFILE" : "ON_DEMAND"})},
          {"inputModalities", json::array({"TEXT"})},
          {"modelArn", model_arn(model, config)},
          {"modelId", model.ids.front()},
          {"modelLifecycle", std::move(lifecycle)},
          {"modelName", model.name},
          {"outputModalities", json::array({"TEXT"})},
          {"providerName", model.provider},
          {"responseStreamingSupported", true}};
}

json profile_json(const Model& model, const Config& config, const std::string& geo) {
  const std::string id = geo + "." + model.ids.front();
  return {{"createdAt", kCreated},
          {"description", "Routes requests to " + model.name + "."},
          {"inferenceProfileArn", "arn:aws:bedrock:" + config.auth.region + ":" + config.account +
                                      ":inference-profile/" + id},
          {"inferenceProfileId", id},
          {"inferenceProfileName", geo + " " + model.name},
          {"models", json::array({json{{"modelArn", model_arn(model, config)}}})},
          {"status", "ACTIVE"},
          {"type", "SYSTEM_DEFINED"},
          {"updatedAt", kCreated}};
}

bool listed(const Model& model) {
  return model.lifecycle != Lifecycle::end_of_life && !is_glob(model.ids.front());
}

json all_profiles(const Models& models, const Config& config) {
  json profiles = json::array();
  for (const auto& model : models) {
    if (!listed(*model)) continue;
    for (const std::string& geo : model->profiles)
      profiles.push_back(profile_json(*model, config, geo));
  }
  return profiles;
}

// ---- Guardrails ----

std::size_t characters_in(const json& content) {
  std::size_t characters = 0;
  for (const json& block : content) {
    if (!block.is_object()) continue;
    const json text = block.value("text", json{});
    const json inner = text.is_object() ? text.value("text", json{}) : text;
    if (inner.is_string()) characters += inner.get_ref<const std::string&>().size();
  }
  return characters;
}

// What guardrails count: begun thousands of characters.
std::size_t text_units(std::size_t characters) {
  constexpr std::size_t kUnit = 1000;
  return std::max<std::size_t>(1, (characters + kUnit - 1) / kUnit);
}

json array_in(const json& object, const char* key) {
  json found = object.is_object() ? object.value(key, json{}) : json{};
  return found.is_array() ? found : json::array();
}

Reply missing(const char* key) {
  return to_reply(validation("Malformed input request: #: required key [" + std::string{key} +
                             "] not found, please reformat your input and try again."));
}

// Nothing is ever found: a score of zero for each category that was asked for.
json scores_of(const json& check) {
  json results = json::array();
  for (const json& asked : array_in(check, "categories")) {
    if (asked.is_object())
      results.push_back(
          json{{"category", asked.value("category", json{})}, {"severityScore", 0.0}});
  }
  return {{"results", std::move(results)}};
}

// ---- Asynchronous calls ----

std::string arn_prefix(const Config& config) {
  return "arn:aws:bedrock:" + config.auth.region + ":" + config.account + ":async-invoke/";
}

json invocation(std::string_view arn, const Config& config) {
  const bool runs = arn.ends_with('2');
  json told{{"clientRequestToken", "token"},
            {"invocationArn", arn},
            {"lastModifiedTime", kCreated},
            {"modelArn",
             "arn:aws:bedrock:" + config.auth.region + "::foundation-model/amazon.nova-reel-v1:0"},
            {"outputDataConfig", {{"s3OutputDataConfig", {{"s3Uri", "s3://example/output"}}}}},
            {"status", runs ? "InProgress" : "Completed"},
            {"submitTime", kCreated}};
  if (!runs) told["endTime"] = kCreated;
  return told;
}

std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
      return percent_decode(pair.substr(name.size() + 1));
  }
  return {};
}

// An empty or strange text counts as `otherwise`.
std::size_t number_of(const std::string& text, std::size_t otherwise) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : otherwise;
}

}  // namespace

Reply json_reply(std::string body) {
  Reply reply;
  reply.headers = {{"Content-Type", "application/json"}};
  reply.body = std::move(body);
  return reply;
}

Reply list_foundation_models(const Models& models, const Config& config) {
  json summaries = json::array();
  for (const auto& model : models) {
    if (listed(*model)) summaries.push_back(model_json(*model, config));
  }
  return json_reply(dump({{"modelSummaries", std::move(summaries)}}));
}

Reply get_foundation_model(const Model& model, const Config& config) {
  if (model.lifecycle == Lifecycle::end_of_life) return to_reply(end_of_life());
  return json_reply(dump({{"modelDetails", model_json(model, config)}}));
}

Reply foundation_model_availability(const Model& model) {
  return json_reply(dump({{"agreementAvailability", {{"status", "AVAILABLE"}}},
                          {"authorizationStatus", "AUTHORIZED"},
                          {"entitlementAvailability", "AVAILABLE"},
                          {"modelId", model.ids.front()},
                          {"regionAvailability", "AVAILABLE"}}));
}

Reply list_inference_profiles(const Models& models, const Config& config, std::string_view query) {
  const bool application = query.find("type=APPLICATION") != std::string_view::npos;
  return json_reply(dump(
      {{"inferenceProfileSummaries", application ? json::array() : all_profiles(models, config)}}));
}

Reply get_inference_profile(const Models& models, const Config& config, std::string_view id) {
  for (const json& profile : all_profiles(models, config)) {
    if (profile["inferenceProfileId"] == id || profile["inferenceProfileArn"] == id)
      return json_reply(dump(profile));
  }
  return to_reply({.status = 404,
                   .type = "ResourceNotFoundException",
                   .message = "The inference profile was not found.",
                   .resource = {}});
}

Reply apply_guardrail(const Request& request) {
  const auto body = parse_json(request.body);
  if (!body || !body->is_object()) return to_reply(validation("Malformed input request"));
  if (!body->contains("content")) return missing("content");
  const std::size_t characters = characters_in(array_in(*body, "content"));
  const std::size_t units = text_units(characters);
  const json usage{{"contentPolicyUnits", units},
                   {"contextualGroundingPolicyUnits", 0},
                   {"sensitiveInformationPolicyFreeUnits", 0},
                   {"sensitiveInformationPolicyUnits", units},
                   {"topicPolicyUnits", units},
                   {"wordPolicyUnits", units}};
  return json_reply(dump({{"action", "NONE"},
                          {"assessments", json::array()},
                          {"guardrailCoverage",
                           {{"textCharacters", {{"guarded", characters}, {"total", characters}}}}},
                          {"outputs", json::array()},
                          {"usage", usage}}));
}

Reply invoke_guardrail_checks(const Request& request) {
  const auto body = parse_json(request.body);
  if (!body || !body->is_object()) return to_reply(validation("Malformed input request"));
  for (const char* key : {"messages", "checks"}) {
    if (!body->contains(key)) return missing(key);
  }
  std::size_t characters = 0;
  for (const json& message : array_in(*body, "messages"))
    characters += characters_in(array_in(message, "content"));
  json results = json::object();
  json usage = json::object();
  const json& checks = (*body)["checks"];
  for (const char* name : {"contentFilter", "promptAttack", "sensitiveInformation"}) {
    if (!checks.is_object() || !checks.contains(name)) continue;
    results[name] = scores_of(checks[name]);
    usage[name] = {{"textUnits", text_units(characters)}};
  }
  return json_reply(dump({{"results", std::move(results)}, {"usage", std::move(usage)}}));
}

Reply start_async_invoke(const Request& request, const Config& config) {
  const auto body = parse_json(request.body);
  if (!body || !body->is_object() || !body->contains("modelInput")) return missing("modelInput");
  // The same request token names the same invocation, as idempotency asks.
  const json token = body->value("clientRequestToken", json(request.body));
  return json_reply(
      dump({{"invocationArn", arn_prefix(config) + sha256_hex(dump(token)).substr(0, 12)}}));
}

Reply get_async_invoke(std::string_view arn, const Config& config) {
  if (!arn.starts_with(arn_prefix(config)))
    return to_reply(validation("The provided invocation ARN is invalid."));
  return json_reply(dump(invocation(arn, config)));
}

Reply list_async_invokes(std::string_view query, const Config& config) {
  constexpr std::size_t kMaxAPage = 1000;
  const std::string status = query_value(query, "statusEquals");
  json found = json::array();
  for (const char* id : {"aaaaaaaaaaa1", "aaaaaaaaaaa2", "aaaaaaaaaaa3"}) {
    json each = invocation(arn_prefix(config) + id, config);
    if (status.empty() || each["status"] == status) found.push_back(std::move(each));
  }
  const std::size_t begin = std::min(found.size(), number_of(query_value(query, "nextToken"), 0));
  const std::size_t room = number_of(query_value(query, "maxResults"), kMaxAPage);
  const std::size_t end = begin + std::min(room, found.size() - begin);
  json page{{"asyncInvokeSummaries", json::array()}};
  for (std::size_t i = begin; i < end; ++i) page["asyncInvokeSummaries"].push_back(found[i]);
  if (end < found.size()) page["nextToken"] = std::to_string(end);
  return json_reply(dump(page));
}

}  // namespace understudy::simulator
