#pragma once
// Salted hash buckets: a decision that can be repeated and explained.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "routing/config.h"

namespace understudy::routing {

inline constexpr std::uint32_t kBuckets = 10'000;

// XXH3-64 over salt, purpose ("shadow", "canary", "control"), route name and key, each with its
// length, modulo kBuckets. Different purposes draw independently; who is in 5 % is in 10 %.
std::uint32_t bucket(std::string_view salt, std::string_view purpose, std::string_view route,
                     std::string_view key) noexcept;

inline bool drawn(std::uint32_t bucket_number, Percent share) noexcept {
  return bucket_number < share.hundredths;
}

// A hash of what a conversation begins with: the system prompt where it stands before the messages,
// and the first user turn. Reads at most `max_scan_bytes` and stops at the end of that turn; where
// it finds none (other JSON, no JSON, over the cap), it is the hash of the first 64 KiB. Works for
// Converse bodies and every InvokeModel family.
std::uint64_t conversation_key(std::string_view body, std::size_t max_scan_bytes) noexcept;

// The value of `key` in the body's requestMetadata (or, on the second wire, metadata), as JSON
// spells it; empty where there is none. Reads at most `max_scan_bytes`.
std::string_view request_metadata(std::string_view body, std::string_view key,
                                  std::size_t max_scan_bytes) noexcept;

// A caller where its name must not show: the same for the same salt, empty for nobody.
std::string caller_label(const Config& config, std::string_view caller);

// The most output tokens that the body asks for (max_tokens, maxTokens and its kin at their
// places); none where it names no bound, or is no whole JSON object.
std::optional<std::uint64_t> max_output_tokens(std::string_view body) noexcept;

// True when the body asks for exactly one output token: a probe.
bool is_probe(std::string_view body) noexcept;

}  // namespace understudy::routing
