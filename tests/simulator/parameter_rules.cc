#include "tests/simulator/parameter_rules.h"

#include "tests/simulator/answer.h"

namespace understudy::simulator {
namespace {

// Converse checks the model's limit itself; everything else comes from the model, wrapped.
ServiceError from_model(std::string text, bool converse) {
  return validation(converse ? "The model returned the following errors: " + text : text);
}

std::optional<std::string_view> refused_sampling(const Prompt& prompt, const Rejections& rejects) {
  if (rejects.temperature && prompt.has_temperature) return "temperature";
  if (rejects.top_p && prompt.has_top_p) return "top_p";
  if (rejects.top_k && prompt.has_top_k) return "top_k";
  return std::nullopt;
}

std::optional<std::string> refused_shape(const Prompt& prompt, const Rejections& rejects) {
  if (rejects.temperature_and_top_p && prompt.has_temperature && prompt.has_top_p) {
    return "`temperature` and `top_p` cannot both be specified for this model. Please use only "
           "one.";
  }
  if (rejects.thinking_enabled && prompt.thinking_enabled) {
    return "\"thinking.type.enabled\" is not supported for this model. Use "
           "\"thinking.type.adaptive\" and "
           "\"output_config.effort\" to control thinking behavior.";
  }
  if (rejects.prefill && prompt.ends_with_assistant) {
    return "This model does not support assistant message prefill. The conversation must end with "
           "a user message.";
  }
  if (rejects.forced_tool_choice && prompt.tool_required) {
    return "tool_choice: forced tool use is not supported for this model.";  // the true text is not
                                                                             // known
  }
  if (rejects.cache_control && prompt.top_level_cache_control)
    return "cache_control: Extra inputs are not permitted";
  if (rejects.beta && prompt.has_betas) return "invalid beta flag";
  return std::nullopt;
}

}  // namespace

std::optional<ServiceError> check_parameters(const Prompt& prompt, const Model& model,
                                             bool converse) {
  if (const auto name = refused_sampling(prompt, model.rejects)) {
    const std::string parameter{*name};
    if (converse && model.family != Family::anthropic) {
      return validation("This model doesn't support the " + parameter + " field. Remove " +
                        parameter + " and try again.");
    }
    return from_model("`" + parameter + "` is deprecated for this model.", converse);
  }
  if (auto text = refused_shape(prompt, model.rejects))
    return from_model(std::move(*text), converse);

  const std::string limit = std::to_string(model.max_output_tokens);
  if (prompt.max_tokens.value_or(0) > model.max_output_tokens) {
    if (converse || model.family != Family::anthropic) {
      return validation("The maximum tokens you requested exceeds the model limit of " + limit +
                        ". Try again with a maximum tokens value that is lower than " + limit +
                        ".");
    }
    return validation("max_tokens: " + std::to_string(*prompt.max_tokens) + " > " + limit +
                      ", which is the maximum allowed number of output tokens for " +
                      model.ids.front());
  }
  const std::uint64_t input = count_tokens(prompt.characters, model.tokenizer_factor);
  if (input > model.context_tokens) {
    return from_model("prompt is too long: " + std::to_string(input) + " tokens > " +
                          std::to_string(model.context_tokens) + " maximum",
                      converse);
  }
  return std::nullopt;
}

}  // namespace understudy::simulator
