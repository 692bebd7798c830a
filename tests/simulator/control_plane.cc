#include "tests/simulator/control_plane.h"

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
  const json usage{{"contentPolicyUnits", 1},
                   {"contextualGroundingPolicyUnits", 0},
                   {"sensitiveInformationPolicyFreeUnits", 0},
                   {"sensitiveInformationPolicyUnits", 1},
                   {"topicPolicyUnits", 1},
                   {"wordPolicyUnits", 1}};
  return json_reply(dump({{"action", "NONE"},
                          {"assessments", json::array()},
                          {"outputs", json::array()},
                          {"usage", usage}}));
}

Reply start_async_invoke(const Request& request, const Config& config) {
  const auto body = parse_json(request.body);
  if (!body || !body->is_object() || !body->contains("modelInput")) {
    return to_reply(validation(
        "Malformed input request: #: required key [modelInput] not found, please reformat your "
        "input and try again."));
  }
  // The same request token names the same invocation, as idempotency asks.
  const json token = body->value("clientRequestToken", json(request.body));
  return json_reply(
      dump({{"invocationArn", "arn:aws:bedrock:" + config.auth.region + ":" + config.account +
                                  ":async-invoke/" + sha256_hex(dump(token)).substr(0, 12)}}));
}

Reply get_async_invoke(std::string_view arn) {
  return json_reply(
      dump({{"clientRequestToken", "token"},
            {"endTime", kCreated},
            {"invocationArn", arn},
            {"lastModifiedTime", kCreated},
            {"modelArn", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-reel-v1:0"},
            {"outputDataConfig", {{"s3OutputDataConfig", {{"s3Uri", "s3://example/output"}}}}},
            {"status", "Completed"},
            {"submitTime", kCreated}}));
}

Reply list_async_invokes() {
  return json_reply(dump({{"asyncInvokeSummaries", json::array()}}));
}

}  // namespace understudy::simulator
