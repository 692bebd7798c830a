// Resolves credentials for comparisons with other implementations. Reads one JSON object a line on
// standard input:
//   {"environment": {NAME: VALUE}, "profile": NAME or ""}
// and writes one a line: {"access_key_id", "secret_access_key", "session_token"} or {"error"}. A
// profile means a named one, none the default chain. Files are those that the environment names.

#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "proxy/aws/keeper.h"

namespace {

using nlohmann::json;
using namespace understudy;
using routing::CredentialsConfig;

constexpr std::chrono::seconds kPatience{30};

json resolve(const json& question) {
  const json& variables = question.at("environment");
  const proxy::Environment environment = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->get<std::string>();
  };
  CredentialsConfig config;
  config.profile = question.at("profile").get<std::string>();
  if (!config.profile.empty()) config.source = CredentialsConfig::Source::profile;
  auto plan = proxy::aws::plan_credentials(config, "us-east-1", environment);
  if (!plan) return {{"error", plan.error().context}};
  const auto recorder = metrics::make_prometheus_recorder();
  proxy::aws::CredentialsKeeper keeper(*recorder);
  const auto use = keeper.use("upstream", std::move(*plan));
  keeper.wait_for_first(*use->slot, kPatience);
  const auto now = use->slot->now();
  if (!now.credentials) return {{"error", use->slot->status().problem}};
  return {{"access_key_id", now.credentials->keys.access_key_id},
          {"secret_access_key", now.credentials->keys.secret_access_key.reveal()},
          {"session_token", now.credentials->keys.session_token.reveal()}};
}

}  // namespace

int main() {
  try {
    for (std::string line; std::getline(std::cin, line);)
      std::cout << resolve(json::parse(line)).dump() << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "credentials-tool: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
