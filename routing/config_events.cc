// The `events` section: where what happened is told.

#include <filesystem>
#include <string>

#include "routing/config_sections.h"
#include "routing/config_values.h"

namespace understudy::routing {
namespace {

Parsed<std::string> parse_variable(std::string_view text) {
  constexpr std::string_view kBytes =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  if (text.empty() || text.size() > 256 || text.find_first_not_of(kBytes) != text.npos)
    return bad<std::string>("is no name of an environment variable");
  return good(std::string(text));
}

void read_webhook(Section& section, const std::filesystem::path& directory,
                  WebhookConfig& webhook) {
  section.require("url");
  if (section.read("url", webhook.url, parse_endpoint) && !webhook.url.tls &&
      !is_loopback(webhook.url.host)) {
    section.problem("url", "must be https:// beyond loopback");
  }
  read_existing_file(section, "secret_file", directory, webhook.secret_file);
  section.read("secret_env", webhook.secret_env, parse_variable);
  const bool by_file = section.find("secret_file") != nullptr;
  const bool by_variable = section.find("secret_env") != nullptr;
  if (by_file == by_variable)
    section.problem("url", "needs one of secret_file and secret_env beside it: events are signed");
  read_existing_file(section, "ca_file", directory, webhook.ca_file);
  section.read("timeout", webhook.timeout, duration_between(100ms, 1min));
  section.read("retries", webhook.retries, count_between(0, 20));
}

}  // namespace

void read_events(Section& root, const std::filesystem::path& directory, EventsConfig& events) {
  const ConfigNode* node = root.find("events");
  if (node == nullptr) return;
  Section section(*node, "events", root.problems());
  if (const ConfigNode* webhook = section.find("webhook")) {
    Section inner(*webhook, "events.webhook", root.problems());
    read_webhook(inner, directory, events.webhook.emplace());
    inner.finish();
  }
  section.finish();
}

}  // namespace understudy::routing
