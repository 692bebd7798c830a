#pragma once
// What models answer, family by family (Amazon Bedrock User Guide, "Inference request parameters
// and response fields for foundation models"). Each reader recognises its family by the JSON's own
// shape, returns false where it is another's, and takes whole bodies and stream objects alike: both
// add to the same builder.

#include <string_view>

#include "metrics/families/answer_builder.h"
#include "metrics/json_fwd.h"

namespace understudy::metrics::families {

bool read_converse(Json body, AnswerBuilder& into);  // Converse and Nova, whole
bool read_converse_event(std::string_view type, Json payload, AnswerBuilder& into);
bool read_nova_event(Json event, AnswerBuilder& into);  // the same, the type being the only key
bool read_anthropic(Json json, AnswerBuilder& into);    // Messages and the old text completion
bool read_titan(Json json, AnswerBuilder& into);        // text and embeddings
bool read_llama(Json json, AnswerBuilder& into);
bool read_mistral(Json json, AnswerBuilder& into);  // the text form; newer models are OpenAI-shaped
bool read_cohere(Json json, AnswerBuilder& into);   // Command and Command R
bool read_ai21(Json json, AnswerBuilder& into);     // Jurassic; Jamba is OpenAI-shaped
bool read_openai(Json json, AnswerBuilder& into);   // Jamba, gpt-oss, Qwen, DeepSeek, Mistral Large

// OpenAI's Responses API: the whole object, and the events of its stream, which name their type
// themselves.
bool read_response(Json body, AnswerBuilder& into);
bool read_response_event(Json event, AnswerBuilder& into);

// One object of InvokeModel or of its stream, of whichever family, with Bedrock's own additions to
// it.
bool read_model_json(Json json, AnswerBuilder& into);

}  // namespace understudy::metrics::families
