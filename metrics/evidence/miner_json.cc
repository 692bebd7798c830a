#include "metrics/evidence/miner_json.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "metrics/evidence/json_parts.h"

namespace understudy::metrics {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

SavedMiner read(const json& from) {
  if (from.at("version") != kVersion)
    throw std::invalid_argument("its version is not " + std::to_string(kVersion));
  return {.experiment = from.at("experiment").get<std::string>(),
          .miner = FamilyMiner::from_json(from.at("miner"))};
}

}  // namespace

std::string to_json_text(const FamilyMiner& miner, std::string_view experiment) {
  return json{{"version", kVersion}, {"experiment", experiment}, {"miner", miner.to_json()}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
}

std::variant<SavedMiner, EvidenceProblem> miner_from_json(std::string_view text) {
  return read_or_tell(text, read);
}

}  // namespace understudy::metrics
