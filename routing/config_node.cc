#include "routing/config_node.h"

#include <nlohmann/json.hpp>

namespace understudy::routing {
namespace {

std::string json_string(const std::string& text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_json_literal(const std::string& text) {
  if (text == "true" || text == "false" || text == "null") return true;
  const bool starts_a_number =
      !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
  return starts_a_number && nlohmann::json::accept(text);
}

}  // namespace

const ConfigMember* ConfigNode::find(std::string_view key) const noexcept {
  for (const ConfigMember& member : members) {
    if (member.key == key) return &member;
  }
  return nullptr;
}

std::string to_json(const ConfigNode& node) {
  std::string out;
  switch (node.kind) {
    case ConfigNode::Kind::null:
      return "null";
    case ConfigNode::Kind::scalar:
      return node.plain && is_json_literal(node.text) ? node.text : json_string(node.text);
    case ConfigNode::Kind::list:
      for (const ConfigNode& item : node.items) {
        out.append(out.empty() ? "" : ",").append(to_json(item));
      }
      return "[" + out + "]";
    case ConfigNode::Kind::map:
      for (const ConfigMember& member : node.members) {
        out.append(out.empty() ? "" : ",").append(json_string(member.key));
        out.append(":").append(to_json(member.value));
      }
      return "{" + out + "}";
  }
  return out;
}

}  // namespace understudy::routing
