#pragma once
// Which prompt family a request belongs to: requests made from one template, judged together. One
// for each route and experiment; one thread.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "metrics/family_miner.h"
#include "metrics/json_fwd.h"

namespace understudy::metrics {

// What all traffic is called beside its families. No family is called so: one that would be gets
// the other name.
inline constexpr std::string_view kAllFamilies = "all";
inline constexpr std::string_view kFamilyNamedAll = "family-all";

// The family that a request names by itself: the first that there is of the tag of the
// x-understudy-family header; `family` of the request's metadata; the inference profile or prompt
// that the model id names; the names of the tools, sorted, with a hash of them. Else empty. At most
// 64 characters, of letters, digits, '-', '_' and '.': others become '-'. The same request, the
// same family, on every replica.
std::string named_family(std::string_view tag, std::string_view model_id,
                         const std::optional<Json>& body);

class FamilyFinder {
 public:
  FamilyFinder() = default;
  explicit FamilyFinder(FamilyMiner miner) : miner_(std::move(miner)) {}

  // named_family(), or else what FamilyMiner finds, or else empty. No text of a prompt ever stands
  // in it. Call it once for a request: the miner counts.
  std::string family_of(std::string_view tag, std::string_view model_id,
                        const std::optional<Json>& body);
  const FamilyMiner& miner() const noexcept { return miner_; }

 private:
  FamilyMiner miner_;
};

}  // namespace understudy::metrics
