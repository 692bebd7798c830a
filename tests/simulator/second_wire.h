#pragma once
// The second wire: Anthropic Messages and OpenAI's Chat Completions and Responses, as Bedrock
// offers them besides its own operations. Requests that name their model in the body, answers as
// JSON or as server-sent events. Pure.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/bodies.h"
#include "tests/simulator/control_plane.h"
#include "tests/simulator/operations.h"
#include "tests/simulator/prompt.h"

namespace understudy::simulator {

// True of the operations whose body names the model.
bool names_model_in_body(Operation operation);

// Empty where the body names none.
std::string model_in(const nlohmann::json& body);

PromptResult read_second_wire(Operation operation, const nlohmann::json& body);

// The answer, streamed where `body` asks for it; with a stream's usage where that is asked for.
Reply second_wire_reply(Operation operation, const nlohmann::json& body, const Answer& answer,
                        const RenderContext& context);

Reply list_models(const Models& models);

}  // namespace understudy::simulator
