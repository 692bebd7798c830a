#pragma once
// What the families of a route have been found to answer like, as JSON text: so that a restart need
// not learn it anew. Beside the evidence, of the same experiment; versioned.

#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "metrics/divergence/answer_profile.h"
#include "metrics/evidence/evidence_json.h"

namespace understudy::metrics {

using AnswerProfiles = std::map<std::string, AnswerProfile, std::less<>>;  // by family

std::string to_json_text(const AnswerProfiles& profiles, std::string_view experiment);

struct SavedProfiles {
  std::string experiment;
  AnswerProfiles profiles;
};
// Never throws. `text` is hostile: a file that anyone may have written.
std::variant<SavedProfiles, EvidenceProblem> profiles_from_json(std::string_view text);

}  // namespace understudy::metrics
