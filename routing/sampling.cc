#include "routing/sampling.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "routing/hash.h"
#include "routing/json_scan.h"

namespace understudy::routing {
namespace {

using Kind = JsonScan::Kind;

constexpr std::size_t kFallbackBytes = std::size_t{64} << 10;

template <std::size_t N>
bool is_one_of(std::string_view key, const std::array<std::string_view, N>& names) noexcept {
  return std::ranges::find(names, key) != names.end();
}

// Where the model's turn begins in a body whose whole conversation is one string (Llama, Mistral,
// DeepSeek, Titan, the older Claude), as JSON text spells it; some writers escape '<' and '>'.
constexpr std::array<std::string_view, 9> kModelTurnMarkers{
    R"(\n\nAssistant:)",
    R"(\nBot:)",
    "[/INST]",
    "<|start_header_id|>assistant",
    R"(\u003c|start_header_id|\u003eassistant)",
    "<|im_start|>assistant",
    R"(\u003c|im_start|\u003eassistant)",
    "<\xef\xbd\x9c"
    "Assistant",
    R"(\uff5cAssistant)",
};

std::string_view first_turn_of_prompt(std::string_view prompt) noexcept {
  std::size_t end = prompt.size();
  for (const std::string_view marker : kModelTurnMarkers) {
    end = prompt.substr(0, end).find(marker) == prompt.npos ? end : prompt.find(marker);
  }
  return prompt.substr(0, end);
}

// Folds every scalar below the value into `key`, in order. Names, types and cache markers are left
// out, so that "hi" and [{"type":"text","text":"hi","cache_control":{...}}] are the same turn:
// clients switch between the two as a conversation goes on.
void fold(JsonScan& scan, std::uint64_t& key) noexcept {
  static constexpr std::array<std::string_view, 4> kLeftOut{"type", "role", "cache_control",
                                                            "cachePoint"};
  std::string_view name;
  switch (scan.next_kind()) {
    case Kind::object:
      scan.enter_object();
      while (scan.next_member(name)) {
        if (is_one_of(name, kLeftOut)) {
          scan.skip();
        } else {
          fold(scan, key);
        }
      }
      return;
    case Kind::array:
      scan.enter_array();
      while (scan.next_element()) fold(scan, key);
      return;
    default:
      key = hash64(scan.take_scalar(), key);
  }
}

// Folds turns up to the first one of the user's; true when that was found whole.
bool fold_first_user_turn(JsonScan& scan, std::uint64_t& key) noexcept {
  if (!scan.enter_array()) return false;
  while (scan.next_element()) {
    if (!scan.enter_object()) return false;
    bool by_user = false;
    std::string_view name;
    while (scan.next_member(name)) {
      if (name == "role" && scan.next_kind() == Kind::string) {
        const std::string_view role = scan.take_scalar();
        by_user = role == "user" || role == "USER";  // Cohere's chat_history shouts
      } else {
        fold(scan, key);
      }
    }
    if (by_user) return !scan.failed();
  }
  return false;
}

std::optional<std::uint64_t> key_of_beginning(std::string_view body) noexcept {
  static constexpr std::array<std::string_view, 4> kSystem{"system", "preamble", "anthropic_system",
                                                           "instructions"};
  // `input` of the Responses API is a list of turns or one text.
  static constexpr std::array<std::string_view, 3> kTurns{"messages", "chat_history", "input"};
  static constexpr std::array<std::string_view, 3> kPrompts{"prompt", "inputText", "input"};
  std::uint64_t key = 0;
  std::optional<std::uint64_t>
      lone_message;  // Cohere's `message`: the first turn only without a history
  JsonScan scan(body);
  std::string_view name;
  if (!scan.enter_object()) return std::nullopt;
  while (scan.next_member(name)) {
    const Kind kind = scan.next_kind();
    if (is_one_of(name, kSystem)) {
      fold(scan, key);
    } else if (is_one_of(name, kTurns) && kind == Kind::array) {
      if (fold_first_user_turn(scan, key)) return key;
    } else if (is_one_of(name, kPrompts) && kind == Kind::string) {
      const std::string_view turn = first_turn_of_prompt(scan.take_scalar());
      if (!scan.failed()) return hash64(turn, key);
    } else if (name == "message" && kind == Kind::string) {
      lone_message = hash64(scan.take_scalar(), key);
    } else {
      scan.skip();
    }
  }
  return scan.failed() ? std::nullopt : lone_message;
}

// The smallest bound is the one that holds.
void take_bound(JsonScan& scan, std::optional<std::uint64_t>& bound) noexcept {
  if (scan.next_kind() != Kind::number) return void(scan.skip());
  const std::string_view digits = scan.take_scalar();
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure != std::errc{} || end != digits.data() + digits.size()) return;
  bound = std::min(bound.value_or(value), value);
}

void take_nested_bound(JsonScan& scan, std::optional<std::uint64_t>& bound) noexcept {
  static constexpr std::array<std::string_view, 3> kNames{"maxTokens", "max_new_tokens",
                                                          "maxTokenCount"};
  if (scan.next_kind() != Kind::object) return void(scan.skip());
  scan.enter_object();
  std::string_view name;
  while (scan.next_member(name)) {
    if (is_one_of(name, kNames)) {
      take_bound(scan, bound);
    } else {
      scan.skip();
    }
  }
}

}  // namespace

std::uint32_t bucket(std::string_view salt, std::string_view purpose, std::string_view route,
                     std::string_view key) noexcept {
  return static_cast<std::uint32_t>(hash64_of_parts({salt, purpose, route, key}) % kBuckets);
}

std::uint64_t conversation_key(std::string_view body, std::size_t max_scan_bytes) noexcept {
  if (const auto key = key_of_beginning(body.substr(0, max_scan_bytes))) return *key;
  return hash64(body.substr(0, kFallbackBytes));
}

std::string_view request_metadata(std::string_view body, std::string_view key,
                                  std::size_t max_scan_bytes) noexcept {
  JsonScan scan(body.substr(0, max_scan_bytes));
  std::string_view name;
  if (!scan.enter_object()) return {};
  while (scan.next_member(name)) {
    const bool here = name == "requestMetadata" || name == "metadata";
    if (!here || scan.next_kind() != Kind::object) {
      scan.skip();
      continue;
    }
    scan.enter_object();
    while (scan.next_member(name)) {
      if (name == key && scan.next_kind() == Kind::string) {
        const std::string_view found = scan.take_scalar();
        return scan.failed() ? std::string_view() : found;
      }
      scan.skip();
    }
  }
  return {};
}

std::string caller_label(const Config& config, std::string_view caller) {
  return caller.empty() ? std::string()
                        : hex(hash64_of_parts({config.sampling_salt, "caller", caller}));
}

std::optional<std::uint64_t> max_output_tokens(std::string_view body) noexcept {
  static constexpr std::array<std::string_view, 7> kTop{
      "max_tokens",           "max_gen_len",           "maxTokens",
      "max_tokens_to_sample", "max_completion_tokens", "max_new_tokens",
      "max_output_tokens"};
  static constexpr std::array<std::string_view, 2> kNested{"inferenceConfig",
                                                           "textGenerationConfig"};
  JsonScan scan(body);
  std::string_view name;
  if (!scan.enter_object()) return std::nullopt;
  std::optional<std::uint64_t> bound;
  while (scan.next_member(name)) {
    if (is_one_of(name, kTop)) {
      take_bound(scan, bound);
    } else if (is_one_of(name, kNested)) {
      take_nested_bound(scan, bound);
    } else {
      scan.skip();
    }
  }
  return scan.failed() ? std::nullopt : bound;
}

bool is_probe(std::string_view body) noexcept {
  return max_output_tokens(body) == 1;
}

}  // namespace understudy::routing
