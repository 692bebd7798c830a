#include "metrics/end_of_life.h"

#include "metrics/json_reader.h"

namespace understudy::metrics {

namespace {

constexpr std::string_view kEnded = "has reached the end of its life";
constexpr std::string_view kLegacy = "is marked by provider as Legacy";
constexpr std::string_view kUnused = "have not been actively using the model";
constexpr std::string_view kInvalid = "The provided model identifier is invalid";

bool holds(std::string_view text, std::string_view words) noexcept {
  return text.find(words) != text.npos;
}

}  // namespace

// 403 and 410 are not seen in the wild, but "Access denied." is what the lock-out says.
bool may_say_gone(int status) noexcept {
  return status == 400 || status == 403 || status == 404 || status == 410;
}

std::optional<ModelGone> model_gone(int status, std::string_view message, bool was_good) noexcept {
  if (!may_say_gone(status)) return std::nullopt;
  if (status == 400) {
    if (was_good && holds(message, kInvalid)) return ModelGone::ended;
    // Messages about a request may quote it.
    return std::nullopt;
  }
  if (holds(message, kEnded)) return ModelGone::ended;
  if (holds(message, kLegacy) && holds(message, kUnused)) return ModelGone::locked_out;
  return std::nullopt;
}

std::optional<ModelGone> model_gone_by_body(int status, std::string_view body, bool was_good) {
  JsonParser parser;
  const auto json = parser.parse(body);
  if (!json) return std::nullopt;
  const auto nested = member(*json, "error");
  const Json holder = nested ? *nested : *json;
  for (const char* key : {"message", "Message"}) {
    if (const auto message = string_at(holder, key)) return model_gone(status, *message, was_good);
  }
  return std::nullopt;
}

}  // namespace understudy::metrics
