#pragma once
// What the answers of one prompt family have been like: in which container their JSON stands, which
// keys it has and of which types, whether they are labels, whether they use markdown. Learned from
// the primary's own answers; both sides of a pair are then held to it by the same rule.
//
// Keeps hashes of keys and values, no text; at most 48 KiB. Counts are halved at kWindow, so that
// it follows the family. Learn from a pair only after it was compared: evidence must not judge a
// pair by what it taught. Not shared between threads.

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/divergence/json_form.h"
#include "metrics/divergence/text_traits.h"
#include "metrics/observation.h"

namespace understudy::metrics {

class AnswerProfile {
 public:
  static constexpr std::size_t kMaxPaths = 512;
  static constexpr std::uint32_t kWindow = 512;
  // Nothing is expected before as many answers were seen. Fewer would take chance for a rule, more
  // would leave the first pairs of a broken family without evidence.
  static constexpr std::uint32_t kFewestAnswers = 8;

  // An answer of the primary, and what is known of its text; failed and unread ones teach nothing.
  void learn(const Observation& primary, const TextTraits& text);
  void learn(const Observation& primary) { learn(primary, TextTraits{primary.answer.text}); }

  // How the family's JSON stands in its answers; none where the family does not answer in JSON.
  std::optional<divergence::Container> container() const noexcept;
  bool answers_in_labels() const noexcept;       // with a final answer that can be found
  bool answers_in_bare_labels() const noexcept;  // with nothing else
  // As language_of() names it; empty for a family of many.
  std::string_view language() const noexcept;
  bool never_uses_markdown() const noexcept;
  std::uint32_t answers() const noexcept { return answers_; }
  bool is_settled() const noexcept { return answers_ >= kFewestAnswers; }

  // One place of the family's JSON. `path` and `parent` as in divergence/json_value.h.
  struct Path {
    static constexpr std::size_t kMaxValues = 12;
    std::uint64_t path = 0;
    std::uint64_t parent = 0;
    std::uint32_t seen = 0;     // answers that had it
    std::uint32_t times = 0;    // values in them
    std::uint8_t types = 0;     // JsonType mask
    std::uint8_t distinct = 0;  // of scalar values; kMaxValues + 1: more than are kept
    std::array<std::uint32_t, kMaxValues> values{};
  };
  const Path* find(std::uint64_t path) const noexcept;
  const std::vector<Path>& paths() const noexcept { return paths_; }  // sorted by path
  bool required(const Path& path) const noexcept;
  // Whether its values have been few and well known, and this one is new.
  bool is_new_value(const Path& path, std::uint64_t value) const noexcept;

  struct Language {
    std::string code;
    std::uint32_t answers = 0;
  };
  static constexpr std::size_t kMaxLanguages = 4;

  nlohmann::json to_json() const;
  // None for what to_json() did not write.
  static std::optional<AnswerProfile> from_json(const nlohmann::json& json);

 private:
  void learn_keys(std::string_view json);
  void learn_language(std::string_view code);
  Path* find_or_add(std::uint64_t path, std::uint64_t parent);
  void halve() noexcept;

  std::uint32_t answers_ = 0;
  std::array<std::uint32_t, 4> containers_{};  // by Container, of answers with valid JSON
  std::uint32_t keyed_ = 0;                    // answers whose keys were learned
  std::uint32_t labels_ = 0;
  std::uint32_t bare_labels_ = 0;
  std::uint32_t with_markdown_ = 0;
  std::uint32_t in_some_language_ = 0;
  std::vector<Language> languages_;  // at most kMaxLanguages
  std::vector<Path> paths_;
};

}  // namespace understudy::metrics
