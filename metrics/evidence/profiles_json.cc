#include "metrics/evidence/profiles_json.h"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "metrics/evidence/json_parts.h"

namespace understudy::metrics {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

SavedProfiles read(const json& from) {
  if (from.at("version") != kVersion)
    throw std::invalid_argument("its version is not " + std::to_string(kVersion));
  SavedProfiles saved{.experiment = from.at("experiment").get<std::string>(), .profiles = {}};
  const json& families = from.at("families");
  if (families.size() > RouteEvidence::kMaxFamilies)
    throw std::invalid_argument("it has more families than there may be");
  for (const auto& [name, family] : families.items()) {
    auto profile = AnswerProfile::from_json(family);
    if (!profile || name.size() > kMaxNameBytes)
      throw std::invalid_argument("a family's profile is none of this version");
    saved.profiles.emplace(name, std::move(*profile));
  }
  return saved;
}

}  // namespace

std::string to_json_text(const AnswerProfiles& profiles, std::string_view experiment) {
  json families = json::object();
  for (const auto& [name, profile] : profiles) families[name] = profile.to_json();
  return json{{"version", kVersion}, {"experiment", experiment}, {"families", std::move(families)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::variant<SavedProfiles, EvidenceProblem> profiles_from_json(std::string_view text) {
  return read_or_tell(text, read);
}

}  // namespace understudy::metrics
