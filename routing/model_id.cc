#include "routing/model_id.h"

#include <algorithm>
#include <array>

namespace understudy::routing {
namespace {

// Geographies of cross-region inference profiles. A list, since a vendor's own model names may have
// dots.
constexpr std::array<std::string_view, 16> kGeographies{
    "af", "ap", "apac", "au", "ca", "cn", "eu", "global",
    "il", "in", "jp",   "me", "sa", "uk", "us", "us-gov",
};

}  // namespace

std::string_view foundation_model(std::string_view model_id) noexcept {
  std::string_view id = model_id;
  if (const std::size_t slash = id.rfind('/'); slash != id.npos) {
    // Only these ARNs end in an id that names the model; other tails are opaque or free text.
    const std::string_view head = id.substr(0, slash);
    if (!head.ends_with(":foundation-model") && !head.ends_with(":inference-profile")) return {};
    id.remove_prefix(slash + 1);
  } else if (id.starts_with("arn:")) {
    return {};
  }
  std::size_t dot = id.find('.');
  if (dot != id.npos && std::ranges::find(kGeographies, id.substr(0, dot)) != kGeographies.end() &&
      id.find('.', dot + 1) != id.npos) {
    id.remove_prefix(dot + 1);
    dot = id.find('.');
  }
  return dot == id.npos || dot == 0 ? std::string_view{} : id;
}

std::string_view body_format(std::string_view model_id) noexcept {
  const std::string_view model = foundation_model(model_id);
  const std::size_t dot = model.find('.');
  if (dot == model.npos) return {};
  if (model.substr(0, dot) != "amazon") return model.substr(0, dot);
  return model.substr(0, model.find('-', dot));
}

bool differ_in_body_format(std::string_view one_model_id,
                           std::string_view other_model_id) noexcept {
  const std::string_view one = body_format(one_model_id);
  const std::string_view other = body_format(other_model_id);
  return !one.empty() && !other.empty() && one != other;
}

}  // namespace understudy::routing
