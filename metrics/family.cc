#include "metrics/family.h"

#include <algorithm>
#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "metrics/json_reader.h"
#include "routing/hash.h"

namespace understudy::metrics {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxTools = 128;
constexpr std::size_t kHashDigits = 8;
constexpr std::string_view kMedia = ".media", kResults = ".results";

std::string cleaned(std::string_view name) {
  std::string clean{name.substr(0, kMaxName)};
  for (char& c : clean) {
    const bool fit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.';
    if (!fit) c = '-';
  }
  return clean == kAllFamilies ? std::string(kFamilyNamedAll) : clean;
}

// Application profiles and managed prompts are made for a purpose; foundation models are not.
std::string_view purpose_of(std::string_view model_id) {
  for (const std::string_view kind : {":application-inference-profile/", ":prompt/"}) {
    if (const std::size_t at = model_id.find(kind); at != std::string_view::npos)
      return model_id.substr(at + 1);
  }
  return {};
}

std::optional<std::string_view> metadata_family(Json body) {
  const auto metadata = member(body, "requestMetadata");
  return metadata ? string_at(*metadata, "family") : std::nullopt;
}

// Words for people: they change without the contract, and may hold what differs by request.
bool is_prose(std::string_view key, Json value) {
  return (key == "description" || key == "title" || key == "examples") && !is_object(value);
}

// Of a schema whatever the order of its keys, and without its prose.
std::uint64_t schema_hash(Json schema) {
  if (is_object(schema)) {
    std::uint64_t sum = 0;
    for_each_member(schema, [&](std::string_view key, Json value) {
      if (!is_prose(key, value)) sum += routing::hash64(key, schema_hash(value));
    });
    return sum;
  }
  simdjson::dom::array items;  // a local: iterating a temporary dangles in C++20
  if (schema.get(items) != simdjson::SUCCESS) return routing::hash64(text_of(schema));
  std::uint64_t hash = 1;
  for (const Json item : items) hash = routing::hash64(routing::hex(schema_hash(item)), hash);
  return hash;
}

struct OfferedTool {
  std::string_view name;
  std::uint64_t schema = 0;  // 0: it has none
  friend auto operator<=>(const OfferedTool&, const OfferedTool&) = default;
};

std::optional<Json> schema_of(Json holder) {
  if (const auto converse = member(holder, "inputSchema")) return member(*converse, "json");
  if (const auto anthropic = member(holder, "input_schema")) return anthropic;
  return member(holder, "parameters");  // OpenAI
}

void add_tool(Json tool, std::vector<OfferedTool>& tools) {
  if (tools.size() >= kMaxTools) return;
  const auto spec = member(tool, "toolSpec");      // Converse
  const auto function = member(tool, "function");  // OpenAI
  const Json holder = spec ? *spec : function.value_or(tool);
  const auto name = string_at(holder, "name");
  if (!name) return;
  const auto schema = schema_of(holder);
  tools.push_back({*name, schema ? schema_hash(*schema) : 0});
}

std::string tools_family(Json body) {
  std::vector<OfferedTool> tools;
  const Json holder = member(body, "toolConfig").value_or(body);
  for_each_at(holder, "tools", [&](Json tool) { add_tool(tool, tools); });
  if (tools.empty()) return {};
  std::ranges::sort(tools);
  std::string names, contracts;
  for (const OfferedTool& tool : tools) {
    names.append(names.empty() ? "" : ".").append(tool.name);
    contracts.append(tool.name).append("\n").append(routing::hex(tool.schema)).append("\n");
  }
  const std::string hash = routing::hex(routing::hash64(contracts)).substr(0, kHashDigits);
  constexpr std::string_view kPrefix = "tools-";
  constexpr std::size_t kMostOfNames =
      kMaxName - kPrefix.size() - kHashDigits - 1 - kMedia.size() - kResults.size();
  return cleaned(std::string(kPrefix) + names.substr(0, kMostOfNames) + "-" + hash);
}

bool is_media(Json block) {
  for (const std::string_view kind : {"image", "document", "video", "source", "image_url"}) {
    if (member(block, kind)) return true;
  }
  const auto type = string_at(block, "type");
  return type == "input_image" || type == "input_file";
}

bool is_tool_result(Json block) {
  const auto type = string_at(block, "type");
  return member(block, "toolResult") || type == "tool_result" || type == "function_call_output";
}

// What of its form tells requests of one template apart: a model may see as well as another and
// still not go on as well from a tool's result.
struct Form {
  bool has_media = false;
  bool answers_tools = false;  // its last message holds what tools gave back
};

Form form_of(Json body) {
  Form form;
  for (const std::string_view key : {"messages", "input"}) {
    for_each_at(body, key, [&](Json message) {
      form.answers_tools = string_at(message, "role") == "tool" || is_tool_result(message);
      for_each_at(message, "content", [&](Json block) {
        form.has_media = form.has_media || is_media(block);
        form.answers_tools = form.answers_tools || is_tool_result(block);
      });
    });
  }
  return form;
}

// Of families that are found and not named by people: those know what they mean.
std::string with_form(std::string family, Json body) {
  if (family.empty()) return family;
  const Form form = form_of(body);
  if (form.has_media) family.append(kMedia);
  if (form.answers_tools) family.append(kResults);
  return family;
}

}  // namespace

std::string named_family(std::string_view tag, std::string_view model_id,
                         const std::optional<Json>& body) {
  if (!tag.empty()) return cleaned(tag);
  if (body) {
    if (const auto named = metadata_family(*body); named && !named->empty()) return cleaned(*named);
  }
  if (const std::string_view purpose = purpose_of(model_id); !purpose.empty())
    return cleaned(purpose);
  return body ? with_form(tools_family(*body), *body) : std::string();
}

std::string FamilyFinder::family_of(std::string_view tag, std::string_view model_id,
                                    const std::optional<Json>& body) {
  std::string named = named_family(tag, model_id, body);
  return named.empty() && body ? with_form(miner_.family_of(prompt_text(*body)), *body) : named;
}

}  // namespace understudy::metrics
