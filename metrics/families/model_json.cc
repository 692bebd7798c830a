#include "metrics/families/families.h"
#include "metrics/json_reader.h"
#include "metrics/usage.h"

namespace understudy::metrics::families {

namespace {

// Bedrock adds these to the model's own object.
void read_bedrock_additions(Json json, AnswerBuilder& into) {
  if (const auto metrics = member(json, "amazon-bedrock-invocationMetrics")) {
    read_invocation_metrics(*metrics, into.billed_usage());
    into.set_finished();  // rides on the last object only
  }
  if (string_at(json, "amazon-bedrock-guardrailAction") == "INTERVENED") {
    into.set_stop_reason("INTERVENED");
  }
}

}  // namespace

bool read_model_json(Json json, AnswerBuilder& into) {
  if (!is_object(json)) return false;
  read_bedrock_additions(json, into);
  // Ordered so that a key of one family which another has too is asked for last.
  for (const auto reader : {read_anthropic, read_converse, read_nova_event, read_openai, read_titan,
                            read_llama, read_mistral, read_ai21, read_cohere}) {
    if (reader(json, into)) return true;
  }
  return false;
}

}  // namespace understudy::metrics::families
