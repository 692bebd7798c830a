#pragma once
// What a model id says about the model behind it. Views into the id; empty where the id hides it.

#include <string_view>

namespace understudy::routing {

// The foundation model's id: without ARN and without the geography of an inference profile.
// "us.anthropic.claude-sonnet-5" and ".../inference-profile/us.anthropic.claude-sonnet-5" both give
// "anthropic.claude-sonnet-5". Empty for ids that name no vendor: application profiles,
// provisioned, imported and custom models, prompts, marketplace endpoints.
std::string_view foundation_model(std::string_view model_id) noexcept;

// Which body InvokeModel takes: the vendor ("anthropic"), for Amazon also the family
// ("amazon.nova"), since Titan's and Nova's bodies differ. Empty where unknown.
std::string_view body_format(std::string_view model_id) noexcept;

// True only where both are known and differ.
bool differ_in_body_format(std::string_view one_model_id, std::string_view other_model_id) noexcept;

}  // namespace understudy::routing
