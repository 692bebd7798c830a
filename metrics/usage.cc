#include "metrics/usage.h"

#include <charconv>
#include <initializer_list>

namespace understudy::metrics {

namespace {

using Count = std::optional<std::int64_t>;

void take(Json json, std::initializer_list<std::string_view> spellings, Count& into) {
  for (const std::string_view spelling : spellings) {
    if (const auto count = count_at(json, spelling)) {
      into = count;
      return;
    }
  }
}

// Converse lists cache writes by how long they are kept, Anthropic names them.
void read_cache_details(Json usage, Usage& into) {
  for_each_at(usage, "cacheDetails", [&into](Json each) {
    if (string_at(each, "ttl") == "1h") take(each, {"inputTokens"}, into.cache_write_1h);
  });
  const auto created = member(usage, "cache_creation");
  if (created) take(*created, {"ephemeral_1h_input_tokens"}, into.cache_write_1h);
}

// OpenAI's count of the prompt holds the cached tokens, Usage::input does not.
void split_cached(Json usage, std::string_view total, std::string_view detail_key, Usage& into) {
  const auto prompt = count_at(usage, total);
  const auto details = member(usage, detail_key);
  const auto cached = details ? count_at(*details, "cached_tokens") : std::nullopt;
  if (!prompt || !cached || *cached > *prompt) return;
  into.input = *prompt - *cached;
  into.cache_read = cached;
}

Count whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

void read_usage(Json usage, Usage& into) {
  take(usage, {"inputTokens", "input_tokens", "prompt_tokens"}, into.input);
  take(usage, {"outputTokens", "output_tokens", "completion_tokens"}, into.output);
  take(usage, {"cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens"},
       into.cache_read);
  take(usage, {"cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens"},
       into.cache_write);
  for (const std::string_view key : {"completion_tokens_details", "output_tokens_details"}) {
    const auto details = member(usage, key);
    if (details) take(*details, {"reasoning_tokens"}, into.reasoning);
  }
  read_cache_details(usage, into);
  split_cached(usage, "prompt_tokens", "prompt_tokens_details", into);
  split_cached(usage, "input_tokens", "input_tokens_details", into);
}

void read_invocation_metrics(Json metrics, Usage& into) {
  take(metrics, {"inputTokenCount"}, into.input);
  take(metrics, {"outputTokenCount"}, into.output);
  take(metrics, {"cacheReadInputTokenCount"}, into.cache_read);
  take(metrics, {"cacheWriteInputTokenCount"}, into.cache_write);
}

Usage usage_of_fields(std::string_view fields) {
  const auto count = [fields](std::string_view name) {
    return whole_number(captured_field(fields, name));
  };
  return {.input = count("x-amzn-bedrock-input-token-count"),
          .output = count("x-amzn-bedrock-output-token-count"),
          .cache_read = count("x-amzn-bedrock-cache-read-input-token-count"),
          .cache_write = count("x-amzn-bedrock-cache-write-input-token-count"),
          .cache_write_1h = {},
          .reasoning = {}};
}

Usage merged(const Usage& preferred, const Usage& fallback) {
  const auto either = [](const Count& first, const Count& second) {
    return first ? first : second;
  };
  return {.input = either(preferred.input, fallback.input),
          .output = either(preferred.output, fallback.output),
          .cache_read = either(preferred.cache_read, fallback.cache_read),
          .cache_write = either(preferred.cache_write, fallback.cache_write),
          .cache_write_1h = either(preferred.cache_write_1h, fallback.cache_write_1h),
          .reasoning = either(preferred.reasoning, fallback.reasoning)};
}

std::string_view captured_field(std::string_view fields, std::string_view name) {
  while (!fields.empty()) {
    const std::string_view line = fields.substr(0, fields.find('\n'));
    fields.remove_prefix(std::min(fields.size(), line.size() + 1));
    if (line.size() > name.size() + 1 && line.starts_with(name) && line[name.size()] == ':') {
      return line.substr(std::min(line.size(), name.size() + 2));
    }
  }
  return {};
}

}  // namespace understudy::metrics
