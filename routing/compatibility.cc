#include "routing/compatibility.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace understudy::routing {

std::string built_in_compatibility();  // compatibility.json

namespace {

using Json = nlohmann::ordered_json;

RewriteRule rule_of(const Json& from, const std::string& preset) {
  RewriteRule rule;
  rule.preset = preset;
  for (const Json& name : from.at("operations")) {
    const auto operation = operation_from_name(name.get<std::string>());
    if (!operation) throw std::runtime_error("no operation " + name.dump());
    rule.operations.push_back(*operation);
  }
  rule.beside = from.value("beside", "");
  if (from.contains("remove")) {
    rule.kind = rule.beside.empty() ? RewriteRule::Kind::remove : RewriteRule::Kind::remove_beside;
    rule.pointer = from.at("remove");
  } else if (from.contains("set")) {
    rule.kind = rule.beside.empty() ? RewriteRule::Kind::set : RewriteRule::Kind::set_where;
    rule.pointer = from.at("set");
    rule.json = from.at("value").dump();
    if (!rule.beside.empty()) rule.where = from.at("where").dump();
  } else if (from.contains("at_most")) {
    rule.kind = RewriteRule::Kind::at_most;
    rule.pointer = from.at("at_most");
    rule.json = from.at("value").dump();
  } else {
    rule.kind = RewriteRule::Kind::drop_prefill;
    rule.pointer = from.at("drop_prefill");
  }
  return rule;
}

std::vector<Preset> read_presets() {
  const Json data = Json::parse(built_in_compatibility());
  std::vector<Preset> all;
  for (const Json& from : data.at("presets")) {
    Preset& preset = all.emplace_back();
    preset.name = from.at("name");
    preset.about = from.at("about");
    preset.source = data.at("sources").at(from.at("source").get<std::string>());
    preset.refusals = from.at("refusals").get<std::vector<std::string>>();
    for (const Json& rule : from.at("rules")) preset.rules.push_back(rule_of(rule, preset.name));
  }
  if (all.size() > kMaxPresets) throw std::runtime_error("more presets than kMaxPresets");
  return all;
}

}  // namespace

std::span<const Preset> presets() {
  static const std::vector<Preset> kAll = read_presets();
  return kAll;
}

std::optional<std::size_t> preset_place(std::string_view name) noexcept {
  const auto all = presets();
  const auto found = std::ranges::find(all, name, &Preset::name);
  if (found == all.end()) return std::nullopt;
  return static_cast<std::size_t>(found - all.begin());
}

const Preset* preset_for_refusal(std::string_view message) {
  for (const Preset& preset : presets()) {
    const bool names_it = std::ranges::any_of(preset.refusals, [&](const std::string& words) {
      return message.find(words) != message.npos;
    });
    if (names_it) return &preset;
  }
  return nullptr;
}

}  // namespace understudy::routing
