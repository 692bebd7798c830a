#pragma once
// Recognises the errors by which Bedrock says that a model is gone. Pure.

#include <optional>
#include <string_view>

#include "metrics/served_outcome.h"

namespace understudy::metrics {

// The text of a model's end of life, as Bedrock sends it with a 404.
inline constexpr std::string_view kEndOfLifeText =
    "This model version has reached the end of its life. Please refer to the AWS documentation for "
    "more details.";

// A cheap question before the message is read: could an answer of that status say so?
bool may_say_gone(int status) noexcept;

// How the model is gone, by the status and the error's message. Of a 404 the text alone tells. A
// 400 that calls the identifier invalid reads the same for a typo, so it counts only where the id
// `was_good`: it answered before, or the date of its end has passed.
std::optional<ModelGone> model_gone(int status, std::string_view message, bool was_good) noexcept;

// The same of an error's whole body, in JSON of any of the APIs.
std::optional<ModelGone> model_gone_by_body(int status, std::string_view body, bool was_good);

}  // namespace understudy::metrics
