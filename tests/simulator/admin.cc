#include "tests/simulator/admin.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/simulator/control_plane.h"
#include "tests/simulator/model_settings.h"
#include "tests/simulator/prompt.h"
#include "tests/simulator/service_error.h"

namespace understudy::simulator {
namespace {

using nlohmann::json;

constexpr std::string_view kPrefix = "/_simulator/";
constexpr std::string_view kModels = "models/";

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json to_json(const LoggedRequest& request) {
  json headers = json::array();
  for (const auto& [name, value] : request.headers) headers.push_back(json::array({name, value}));
  return {{"sequence", request.sequence},
          {"method", request.method},
          {"target", request.target},
          {"operation", request.operation},
          {"model", request.model},
          {"headers", std::move(headers)},
          {"body_bytes", request.body_bytes},
          {"body_sha256", request.body_sha256},
          {"body", request.body},
          {"auth", request.auth},
          {"status", request.status}};
}

json to_json(const Counts& counts) {
  json by_status = json::object();
  for (const auto& [status, count] : counts.by_status) by_status[std::to_string(status)] = count;
  return {{"requests", counts.requests},         {"connections", counts.connections},
          {"in_flight", counts.in_flight},       {"completed", counts.completed},
          {"abandoned", counts.abandoned},       {"auth_failures", counts.auth_failures},
          {"by_operation", counts.by_operation}, {"by_model", counts.by_model},
          {"by_status", std::move(by_status)}};
}

Reply list_requests(Service& service, std::string_view query) {
  std::uint64_t after = 0;
  if (constexpr std::string_view kAfter = "after="; query.starts_with(kAfter)) {
    query.remove_prefix(kAfter.size());
    std::from_chars(query.data(), query.data() + query.size(), after);
  }
  json requests = json::array();
  for (const LoggedRequest& request : service.log().after(after))
    requests.push_back(to_json(request));
  return json_reply(dump({{"requests", std::move(requests)}}));
}

// Applies the change to a copy first, so that a refused one changes nothing. Returns the problem,
// if any.
std::string apply_change(const json& change, Model& model) {
  for (const auto& [key, value] : change.items()) {
    if (key == "fault" && value.is_string()) {
      const auto fault = parse_fault(value.get<std::string>());
      if (!fault) return "fault: must be one of " + std::string{fault_names()};
      model.fault = *fault;
      continue;
    }
    const std::string& name = key;
    const auto named = [&name](const auto& setting) { return setting.name == name; };
    const auto error = std::find_if(kErrorSettings.begin(), kErrorSettings.end(), named);
    const auto style = std::find_if(kStyleSettings.begin(), kStyleSettings.end(), named);
    if (!value.is_number()) return key + ": unknown, or of the wrong type";
    const double number = std::clamp(value.get<double>(), 0.0, 3.6e6);
    if (error != kErrorSettings.end()) {
      model.errors.*(error->member) = number;
    } else if (style != kStyleSettings.end()) {
      model.answer.*(style->member) = number;
    } else if (key == "verbosity") {
      model.answer.verbosity = number;
    } else if (key == "first_token_ms") {
      model.first_token_ms = {.median = number};
    } else if (key == "per_token_ms") {
      model.per_token_ms = {.median = number};
    } else {
      return key + ": unknown";
    }
  }
  return {};
}

Reply change_model(Service& service, const Request& request, std::string_view raw_id) {
  const auto change = parse_json(request.body);
  if (!change || !change->is_object())
    return to_reply(validation("the body must be a JSON object"));
  std::string problem;
  const bool found = service.models().change(percent_decode(raw_id), [&](Model& model) {
    Model changed = model;
    problem = apply_change(*change, changed);
    if (problem.empty()) model = std::move(changed);
  });
  if (!found) return to_reply(invalid_model());
  if (!problem.empty()) return to_reply(validation(problem));
  return json_reply("{}");
}

}  // namespace

bool is_admin(std::string_view path) {
  return path.starts_with(kPrefix);
}

Reply handle_admin(Service& service, const Request& request) {
  const std::string_view path = request.path().substr(kPrefix.size());
  if (request.method == "GET" && path == "requests") return list_requests(service, request.query());
  if (request.method == "GET" && path == "counts")
    return json_reply(dump(to_json(service.log().counts())));
  if (request.method == "POST" && path.starts_with(kModels)) {
    return change_model(service, request, path.substr(kModels.size()));
  }
  return unknown_operation();
}

}  // namespace understudy::simulator
