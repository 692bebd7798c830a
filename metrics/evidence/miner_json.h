#pragma once
// The families that a route's miner has found, as JSON text, beside the evidence that counts by
// their names and of the same experiment; versioned.

#include <string>
#include <string_view>
#include <variant>

#include "metrics/evidence/evidence_json.h"
#include "metrics/family_miner.h"

namespace understudy::metrics {

std::string to_json_text(const FamilyMiner& miner, std::string_view experiment);

struct SavedMiner {
  std::string experiment;
  FamilyMiner miner;
};
// Never throws. `text` is hostile: a file that anyone may have written.
std::variant<SavedMiner, EvidenceProblem> miner_from_json(std::string_view text);

}  // namespace understudy::metrics
