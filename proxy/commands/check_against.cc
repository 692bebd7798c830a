#include "proxy/commands/check_against.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "proxy/commands/admin_client.h"
#include "proxy/server.h"
#include "routing/config_loader.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using routing::Setting;
using routing::Settings;

constexpr int kMaxDepth = 8;
constexpr std::size_t kMostTold = 1'000;

struct Other {
  std::string name;
  Settings settings;
  bool tells_secrets = true;
};

std::optional<Other> from_file(const std::string& file, std::ostream& err) {
  const routing::LoadedConfig loaded = routing::load_config_file(file);
  for (const auto& problem : loaded.problems) {
    if (!problem.warning) err << problem.to_string() << "\n";
  }
  if (!loaded.config) return std::nullopt;
  return Other{file, loaded.config->settings};
}

// Throws where it is no setting.
Setting setting_of(const json& shown) {
  Setting setting{.key = shown.at("key").get<std::string>(), .value = {}, .fallback = {}};
  setting.hidden = shown.value("hidden", false);
  if (setting.hidden) {
    if (shown.at("set").get<bool>()) setting.value = "set";
  } else {
    setting.value = shown.at("value").get<std::string>();
    setting.fallback = shown.at("default").get<std::string>();
  }
  return setting;
}

std::optional<Settings> settings_of(const std::string& body) {
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
  try {
    Settings settings;
    const json parsed = json::parse(body, shallow);
    for (const json& shown : parsed.at("settings")) settings.push_back(setting_of(shown));
    return settings;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::optional<Other> from_proxy(const std::string& url, const Options& options, std::ostream& err) {
  const auto body = get_from_admin(options, url, "/api/config");
  if (!body) {
    err << "understudy: " << body.error().context << "\n";
    return std::nullopt;
  }
  auto settings = settings_of(*body);
  if (!settings) {
    err << "understudy: " << url << ": what it answers is no config\n";
    return std::nullopt;
  }
  return Other{url, std::move(*settings), false};
}

// A running proxy says of a secret only that it is set, so that much is compared.
Settings without_secrets(Settings settings) {
  for (Setting& setting : settings) {
    if (setting.hidden && !setting.value.empty()) setting.value = "set";
  }
  return settings;
}

}  // namespace

int compare_with_running(const routing::Config& config, const Options& options, std::ostream& out,
                         std::ostream& err) {
  const std::string against = option(options, "against");
  const bool is_url = against.starts_with("http://") || against.starts_with("https://");
  const auto other = is_url ? from_proxy(against, options, err) : from_file(against, err);
  if (!other) return kExitNotKnown;
  const Settings ours = other->tells_secrets ? config.settings : without_secrets(config.settings);
  auto changes = changes_between(other->settings, ours);
  out << "\nagainst " << other->name << ": "
      << (changes.empty() ? "no change" : std::to_string(changes.size()) + " changes") << "\n";
  std::size_t restarts = 0;
  for (auto& change : changes) {
    if (!needs_restart(change.key)) continue;
    ++restarts;
    change.text += "   NEEDS A RESTART";
  }
  for (const std::string& text : change_texts(changes, kMostTold, std::size_t{1} << 20))
    out << "  " << text << "\n";
  const bool has_secrets = std::ranges::any_of(
      ours, [](const Setting& one) { return one.hidden && !one.value.empty(); });
  if (!other->tells_secrets && has_secrets)
    out << "A running proxy tells no secret: whether one has another value is not known.\n";
  if (restarts == 0) return kExitGood;
  out << restarts << (restarts == 1 ? " change needs" : " changes need")
      << " a restart: as long as they stand in the file, a reload is refused as a whole.\n";
  return kExitNegative;
}

}  // namespace understudy::proxy
