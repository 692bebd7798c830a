#include "proxy/commands/preflight.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "metrics/end_of_life.h"
#include "proxy/upstream_probe.h"
#include "routing/compatibility.h"
#include "routing/model_id.h"
#include "routing/rewrite.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using routing::Operation;

constexpr std::chrono::milliseconds kTimeout{60'000};
constexpr std::size_t kMaxShown = 300;  // of an upstream's words

json converse(json config) {
  return {{"messages", {{{"role", "user"}, {"content", {{{"text", "Say ok."}}}}}}},
          {"inferenceConfig", std::move(config)}};
}

json with_prefill() {
  json body = converse({{"maxTokens", 1}});
  body["messages"].push_back({{"role", "assistant"}, {"content", {{{"text", "ok"}}}}});
  return body;
}

json with_thinking() {
  json body = converse({{"maxTokens", 1025}});
  body["additionalModelRequestFields"] = {
      {"thinking", {{"type", "enabled"}, {"budget_tokens", 1024}}}};
  return body;
}

json with_forced_tool() {
  json body = converse({{"maxTokens", 1}});
  const json schema = {{"json", {{"type", "object"}, {"properties", json::object()}}}};
  body["toolConfig"] = {{"tools", {{{"toolSpec", {{"name", "note"}, {"inputSchema", schema}}}}}},
                        {"toolChoice", {{"any", json::object()}}}};
  return body;
}

json messages_body() {
  return {{"anthropic_version", "bedrock-2023-05-31"},
          {"max_tokens", 1},
          {"messages", {{{"role", "user"}, {"content", "Say ok."}}}}};
}

std::string message_of(std::string_view body) {
  const json parsed = json::parse(body, nullptr, false);
  if (parsed.is_object()) {
    for (const char* key : {"message", "Message"}) {
      const auto found = parsed.find(key);
      if (found != parsed.end() && found->is_string()) return found->get<std::string>();
    }
  }
  return {};
}

// What the variant would really be sent.
std::string as_sent(const routing::VariantConfig& variant, const Shape& shape) {
  auto made = routing::variant_body(variant.rewrite, shape.operation, {}, shape.body);
  if (!made.changed) return shape.body;
  return std::move(made.bytes);
}

// The models that a variant is asked for; none where only its clients know.
std::vector<std::string> models_of(const routing::RouteConfig& route,
                                   const routing::VariantConfig& variant) {
  if (!variant.model.empty()) return {variant.model};
  std::vector<std::string> models;
  std::ranges::copy_if(route.match.models, std::back_inserter(models),
                       [](const std::string& glob) { return glob.find('*') == glob.npos; });
  return models;
}

class Preflight {
 public:
  Preflight(std::shared_ptr<const Snapshot> snapshot, std::ostream& out)
      : snapshot_(std::move(snapshot)), out_(out) {}

  bool run() {
    for (const routing::RouteConfig& route : snapshot_->config().routes) {
      const auto primary = ask_all(route, route.primary, routing::Variant::primary);
      if (!route.candidate) continue;
      const auto candidate = ask_all(route, *route.candidate, routing::Variant::candidate);
      for (const auto& [shape, taken] : candidate) {
        const auto before = primary.find(shape);
        // A shape that the primary refuses, too, is none that its clients use.
        const bool was_taken = before == primary.end() || before->second;
        if (!taken && was_taken) good_ = false;
      }
    }
    return good_;
  }

 private:
  using Taken = std::map<std::string_view, bool>;  // by shape

  Taken ask_all(const routing::RouteConfig& route, const routing::VariantConfig& variant,
                routing::Variant which) {
    Taken taken;
    const auto models = models_of(route, variant);
    if (models.empty())
      out_ << route.name << " " << routing::label(which)
           << ": is asked for whatever its clients ask for; nothing to send\n";
    for (const std::string& model : models) {
      for (const Shape& shape : shapes_for(model)) {
        const bool accepted = ask(route, variant, which, model, shape);
        const auto [known, is_new] = taken.try_emplace(shape.name, accepted);
        if (!is_new) known->second = known->second && accepted;
      }
    }
    return taken;
  }

  bool ask(const routing::RouteConfig& route, const routing::VariantConfig& variant,
           routing::Variant which, const std::string& model, const Shape& shape) {
    out_ << route.name << " " << routing::label(which) << " " << model << " " << shape.name << ": ";
    const auto answer = ask_upstream(
        snapshot_, variant.upstream,
        {.target = model_target(model, shape.path), .body = as_sent(variant, shape)}, kTimeout);
    if (!answer) {
      out_ << "no answer: " << answer.error().context << "\n";
      good_ = false;
      return false;
    }
    if (answer->status < 300) {
      out_ << "ok\n";
      return true;
    }
    out_ << answer->status << " " << message_of(answer->body).substr(0, kMaxShown) << "\n  "
         << explain_refusal(answer->status, answer->body) << "\n";
    return false;
  }

  const std::shared_ptr<const Snapshot> snapshot_;
  std::ostream& out_;
  bool good_ = true;
};

}  // namespace

std::vector<Shape> shapes_for(std::string_view model) {
  std::vector<Shape> shapes{
      {"converse", Operation::converse, "converse", converse({{"maxTokens", 1}}).dump()},
      {"stream", Operation::converse_stream, "converse-stream",
       converse({{"maxTokens", 1}}).dump()},
      {"temperature", Operation::converse, "converse",
       converse({{"maxTokens", 1}, {"temperature", 0.5}}).dump()},
      {"temperature-and-top-p", Operation::converse, "converse",
       converse({{"maxTokens", 1}, {"temperature", 0.5}, {"topP", 0.9}}).dump()},
      {"forced-tool", Operation::converse, "converse", with_forced_tool().dump()},
      {"prefill", Operation::converse, "converse", with_prefill().dump()},
  };
  if (routing::body_format(model) == "anthropic") {
    shapes.push_back({"thinking-budget", Operation::converse, "converse", with_thinking().dump()});
    shapes.push_back({"max-tokens-64000", Operation::converse, "converse",
                      converse({{"maxTokens", 64'000}}).dump()});
    shapes.push_back({"invoke", Operation::invoke_model, "invoke", messages_body().dump()});
  }
  return shapes;
}

std::string explain_refusal(int status, std::string_view body) {
  const std::string message = message_of(body);
  if (const auto gone = metrics::model_gone(status, message, false)) {
    return *gone == metrics::ModelGone::ended
               ? "the model has reached its end of life"
               : "the model is legacy and this account did not use it; it is locked out";
  }
  if (message.find("on-demand throughput") != message.npos)
    return "this model is asked by an inference profile: put us., eu., apac. or global. before its "
           "id";
  if (message.find("model identifier is invalid") != message.npos)
    return "there is no such model, or none any more: check the id for a typo, then its end of "
           "life";
  if (const routing::Preset* preset = routing::preset_for_refusal(message))
    return preset->about + "; `rewrite: [{preset: " + preset->name + "}]` does away with it";
  switch (status) {
    case 401:
    case 403:
      return "the credentials may not use this model: grant access to it, or check the policy";
    case 404:
      return "the upstream knows no such model";
    case 429:
      return "throttled: the quota is used up at the moment, which says nothing about the shape";
    default:
      return status >= 500 ? "the upstream failed, which says nothing about the shape"
                           : "refused for a reason that is not known here";
  }
}

bool run_preflight(const std::shared_ptr<const Snapshot>& snapshot, std::ostream& out) {
  return Preflight(snapshot, out).run();
}

}  // namespace understudy::proxy
