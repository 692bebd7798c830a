#pragma once
// How Bedrock's runtime counts tokens against a model's quota of tokens per minute (user guide,
// "How tokens are counted in Amazon Bedrock"), with the models' factors as dated data. Immutable
// once built; any thread may ask.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "metrics/observation.h"
#include "routing/glob.h"

namespace understudy::metrics {

struct QuotaRule {
  std::uint32_t output_burn_down = 1;      // tokens of the quota for one of an answer
  std::uint64_t max_output_tokens = 8192;  // reserved where a request names no bound
  friend bool operator==(const QuotaRule&, const QuotaRule&) = default;
};

// Taken when a request begins: `input` with its cached tokens, and all that it may answer.
std::uint64_t reserved_tokens(std::uint64_t input, std::optional<std::uint64_t> max_output,
                              const QuotaRule& rule) noexcept;
// What stays counted when it has ended; none where the upstream did not tell its tokens.
std::optional<std::uint64_t> counted_tokens(const Usage& usage, const QuotaRule& rule) noexcept;
// Input with the tokens that were read from or written to a cache.
std::optional<std::uint64_t> whole_input(const Usage& usage) noexcept;

struct QuotaRulesProblem {
  std::string what;  // names the file, the place and what to do
};

class QuotaRules {
 public:
  static constexpr std::size_t kMaxRules = 1024;

  // The built-in file, compiled in.
  static std::shared_ptr<const QuotaRules> built_in();
  // A file of the same format that replaces it.
  static std::variant<std::shared_ptr<const QuotaRules>, QuotaRulesProblem> from_json(
      std::string_view json, std::string_view file_name);

  // The first rule whose pattern takes the model, which may carry a geo prefix, a version, or be an
  // ARN that names a model.
  QuotaRule of(std::string_view model_id) const;
  std::string_view as_of() const noexcept { return as_of_; }

  using Table = std::vector<std::pair<routing::Glob, QuotaRule>>;
  QuotaRules(std::string as_of, Table table) noexcept
      : as_of_(std::move(as_of)), table_(std::move(table)) {}

 private:
  std::string as_of_;
  Table table_;
};

}  // namespace understudy::metrics
