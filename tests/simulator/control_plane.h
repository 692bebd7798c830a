#pragma once
// The answers that need no model: foundation models, inference profiles, guardrails and
// asynchronous calls. Pure.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/config.h"
#include "tests/simulator/message.h"

namespace understudy::simulator {

using Models = std::vector<std::shared_ptr<const Model>>;

Reply list_foundation_models(const Models& models, const Config& config);
Reply get_foundation_model(const Model& model, const Config& config);
Reply foundation_model_availability(const Model& model);
Reply list_inference_profiles(const Models& models, const Config& config, std::string_view query);
// `id` is decoded and may be an ARN.
Reply get_inference_profile(const Models& models, const Config& config, std::string_view id);

Reply apply_guardrail(const Request& request);
Reply invoke_guardrail_checks(const Request& request);
Reply start_async_invoke(const Request& request, const Config& config);
// `arn` is decoded. Any invocation of this account is there, and the list knows three of them.
Reply get_async_invoke(std::string_view arn, const Config& config);
Reply list_async_invokes(std::string_view query, const Config& config);

Reply json_reply(std::string body);

}  // namespace understudy::simulator
