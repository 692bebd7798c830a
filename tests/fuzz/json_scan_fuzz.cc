// What looks into a request body before anybody has checked that it is JSON, and the rewrite that
// parses it whole.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "routing/body_model.h"
#include "routing/rewrite.h"
#include "routing/sampling.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace understudy::routing;
  static const std::vector<RewriteRule> rules{
      {RewriteRule::Kind::remove, {}, "/inferenceConfig/temperature", ""},
      {RewriteRule::Kind::set, {}, "/messages/0", R"({"role":"user"})"},
      {RewriteRule::Kind::json_patch, {}, "", R"([{"op":"move","from":"/system","path":"/x"}])"},
  };
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (conversation_key(body, 4096) != conversation_key(body, 4096)) std::abort();
  is_probe(body);
  // A model that was found stands where it is said to, and another name in its place is found
  // again.
  const auto found = find_body_model(body, 1 << 20);
  if (const auto* model = std::get_if<BodyModel>(&found)) {
    const auto swapped = variant_body(
        {}, Operation::messages,
        {.offset = model->offset, .size = model->size, .model = "another.model-v1:0"}, body);
    const auto again = find_body_model(swapped.bytes, 1 << 20);
    const auto* other = std::get_if<BodyModel>(&again);
    if (other == nullptr || other->id != "another.model-v1:0") std::abort();
  }
  const auto result = rewrite(rules, Operation::converse, body);
  const auto* rewritten = std::get_if<Rewritten>(&result);
  // What was rewritten once can be rewritten again: it is clean JSON.
  if (rewritten != nullptr && rewritten->applied > 0 &&
      std::holds_alternative<RewriteProblem>(
          rewrite(rules, Operation::converse, rewritten->body))) {
    std::abort();
  }
  return 0;
}
