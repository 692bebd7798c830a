#include "metrics/family.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "routing/hash.h"

namespace understudy::metrics {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxTools = 128;
constexpr std::size_t kHashDigits = 8;

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

void add_tool(Json tool, std::vector<std::string_view>& names) {
  if (names.size() >= kMaxTools) return;
  const auto spec = member(tool, "toolSpec");      // Converse
  const auto function = member(tool, "function");  // OpenAI
  const Json holder = spec ? *spec : function.value_or(tool);
  if (const auto name = string_at(holder, "name")) names.push_back(*name);
}

std::string tools_family(Json body) {
  std::vector<std::string_view> names;
  const Json holder = member(body, "toolConfig").value_or(body);
  for_each_at(holder, "tools", [&](Json tool) { add_tool(tool, names); });
  if (names.empty()) return {};
  std::ranges::sort(names);
  std::string all;
  for (const std::string_view name : names) all.append(all.empty() ? "" : ".").append(name);
  const std::string hash = routing::hex(routing::hash64(all)).substr(0, kHashDigits);
  constexpr std::string_view kPrefix = "tools-";
  return cleaned(std::string(kPrefix) + all.substr(0, kMaxName - kPrefix.size() - kHashDigits - 1) +
                 "-" + hash);
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
  return body ? tools_family(*body) : std::string();
}

std::string FamilyFinder::family_of(std::string_view tag, std::string_view model_id,
                                    const std::optional<Json>& body) {
  std::string named = named_family(tag, model_id, body);
  return named.empty() && body ? miner_.family_of(prompt_text(*body)) : named;
}

}  // namespace understudy::metrics
