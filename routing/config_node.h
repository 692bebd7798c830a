#pragma once
// A config file as a plain tree with places: what is left of YAML once all that is clever in it is
// refused.

#include <string>
#include <string_view>
#include <vector>

namespace understudy::routing {

struct Place {
  int line = 0;    // from 1
  int column = 0;  // from 1
};

struct ConfigMember;

struct ConfigNode {
  enum class Kind : unsigned char { null, scalar, list, map };
  Kind kind = Kind::null;
  Place place;
  std::string text;                   // scalar
  bool plain = false;                 // scalar: written without quotes
  bool refused = false;               // an alias: reported already, holds nothing
  std::vector<ConfigNode> items;      // list
  std::vector<ConfigMember> members;  // map, in the order of the file; keys are unique

  const ConfigMember* find(std::string_view key) const noexcept;
};

struct ConfigMember {
  std::string key;
  Place place;  // of the key
  ConfigNode value;
};

// The value as JSON text: plain true, false, null and JSON numbers keep their meaning, other
// scalars are strings.
std::string to_json(const ConfigNode& node);

}  // namespace understudy::routing
