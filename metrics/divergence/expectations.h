#pragma once
// What a pair's answers are held to beside each other: what the request demands and what the
// family's answers have been like. Made on the analysis thread, once per exchange.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/divergence/json_schema.h"
#include "metrics/json_fwd.h"
#include "routing/operation.h"

namespace understudy::metrics {

class AnswerProfile;

struct DemandedTool {
  std::string name;
  std::optional<divergence::JsonSchema> arguments;
};

struct Expectations {
  bool json = false;  // the request wants nothing but JSON
  std::optional<divergence::JsonSchema> answer_schema;
  std::vector<DemandedTool> tools;  // sorted by name; empty where the request offers none
  std::string question;             // the last user message, at most kMaxQuestion
  std::string prefill;              // how the request begins the answer itself, at most kMaxPrefill
  // Of the family: the share of words that two answers of the primary usually have in common
  // (evidence/containment_counts.h). None: not known yet.
  std::optional<double> own_containment;
  // Share of the primary's number within which another is the same (routing::VerdictConfig).
  double number_tolerance = 1e-6;
  // Learned from the family's earlier answers of the primary; not owned, may be null. It must not
  // have learned from this pair.
  const AnswerProfile* profile = nullptr;

  static constexpr std::size_t kMaxTools = 128;
  static constexpr std::size_t kMaxPrefill = 4u << 10;
  static constexpr std::size_t kMaxQuestion = 16u << 10;

  // Converse (toolConfig, outputConfig.textFormat), Anthropic (tools, output_config.format,
  // output_format) and OpenAI bodies (tools, response_format, text.format). What is not understood
  // demands nothing.
  static Expectations from_request(routing::Operation operation, std::string_view body);
  static Expectations from_json(routing::Operation operation, const std::optional<Json>& body);
  // Of the question, as language_of() names it; found when it is first asked for.
  std::string_view language() const;
  const DemandedTool* tool(std::string_view name) const noexcept;

 private:
  mutable std::optional<std::string_view> language_;
};

}  // namespace understudy::metrics
