// What FamilyMiner knows, as JSON: so that a restart finds the families that it had, by the names
// that it had given them.

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "metrics/family_miner.h"

namespace understudy::metrics {
namespace {

using nlohmann::json;

constexpr std::size_t kHashDigits = 8;

std::uint64_t number_of(const json& value) {
  if (!value.is_number_unsigned()) throw std::invalid_argument("a count is not a whole number");
  return value.get<std::uint64_t>();
}

std::uint32_t count_of(const json& value) {
  const std::uint64_t count = number_of(value);
  if (count == 0 || count > std::numeric_limits<std::uint32_t>::max())
    throw std::invalid_argument("a shingle's count is out of range");
  return static_cast<std::uint32_t>(count);
}

bool is_name(const std::string& name) {
  return name.size() == FamilyMiner::kPrefix.size() + kHashDigits &&
         name.starts_with(FamilyMiner::kPrefix) &&
         name.find_first_not_of("0123456789abcdef", FamilyMiner::kPrefix.size()) == name.npos;
}

}  // namespace

struct MinerFormat {
  // [shingle, count, shingle, count, ...] of those that were counted at least so often.
  static json counts_json(const FamilyMiner::Counts& counts, std::uint32_t fewest) {
    json pairs = json::array();
    for (const auto& [shingle, count] : counts) {
      if (count < fewest) continue;
      pairs.push_back(shingle);
      pairs.push_back(count);
    }
    return pairs;
  }

  static FamilyMiner::Counts read_counts(const json& from, std::size_t most) {
    if (!from.is_array() || from.size() % 2 != 0 || from.size() / 2 > most)
      throw std::invalid_argument("it counts more shingles than there may be");
    FamilyMiner::Counts counts;
    counts.reserve(from.size() / 2);
    for (std::size_t i = 0; i < from.size(); i += 2)
      counts.emplace(number_of(from[i]), count_of(from[i + 1]));
    return counts;
  }

  static json family_json(const FamilyMiner::Family& family) {
    return {{"name", family.name},
            {"shingles", family.shingles},
            {"counts", counts_json(family.counts, 1)},
            {"members", family.members},
            {"since_refresh", family.since_refresh},
            {"last_used", family.last_used}};
  }

  static FamilyMiner::Family read_family(const json& from) {
    FamilyMiner::Family family;
    family.name = from.at("name").get<std::string>();
    if (!is_name(family.name)) throw std::invalid_argument("a family's name is none of a miner's");
    const json& shingles = from.at("shingles");
    if (!shingles.is_array() || shingles.size() > FamilyMiner::kMaxCounted)
      throw std::invalid_argument("a family has more shingles than there may be");
    for (const json& shingle : shingles) family.shingles.push_back(number_of(shingle));
    if (std::ranges::adjacent_find(family.shingles, std::ranges::greater_equal{}) !=
        family.shingles.end())
      throw std::invalid_argument("a family's shingles are not in order");
    family.counts = read_counts(from.at("counts"), FamilyMiner::kMaxCounted);
    family.members = count_of(from.at("members"));
    family.since_refresh = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(number_of(from.at("since_refresh")), FamilyMiner::kRefreshEvery));
    family.last_used = number_of(from.at("last_used"));
    return family;
  }

  static json write(const FamilyMiner& miner) {
    json families = json::array();
    for (const auto& family : miner.families_) families.push_back(family_json(family));
    return {{"requests", miner.requests_},
            {"seen_in", counts_json(miner.seen_in_, 2)},
            {"families", std::move(families)}};
  }

  static FamilyMiner read(const json& from) {
    FamilyMiner miner;
    miner.requests_ = number_of(from.at("requests"));
    miner.seen_in_ = read_counts(from.at("seen_in"), FamilyMiner::kMaxShingles);
    const json& families = from.at("families");
    if (!families.is_array() || families.size() > FamilyMiner::kMaxFamilies)
      throw std::invalid_argument("it has more families than there may be");
    std::set<std::string> names;
    for (const json& family : families) {
      miner.families_.push_back(read_family(family));
      if (!names.insert(miner.families_.back().name).second)
        throw std::invalid_argument("it has a family twice");
    }
    return miner;
  }
};

nlohmann::json FamilyMiner::to_json() const {
  return MinerFormat::write(*this);
}

FamilyMiner FamilyMiner::from_json(const nlohmann::json& json) {
  return MinerFormat::read(json);
}

}  // namespace understudy::metrics
