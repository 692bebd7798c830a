// What looks into a request body before anybody has checked that it is JSON, and the rewrite that
// parses it whole.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

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
