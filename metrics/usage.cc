#include "metrics/usage.h"

#include <array>
#include <charconv>

namespace understudy::metrics {

namespace {

using Count = std::optional<std::int64_t>;

struct Spelling {
  std::string_view key;
  Count Usage::*count;
};

// Of Converse and Nova, Anthropic, OpenAI.
constexpr std::array kSpellings{
    Spelling{"inputTokens", &Usage::input},
    Spelling{"input_tokens", &Usage::input},
    Spelling{"prompt_tokens", &Usage::input},
    Spelling{"outputTokens", &Usage::output},
    Spelling{"output_tokens", &Usage::output},
    Spelling{"completion_tokens", &Usage::output},
    Spelling{"cacheReadInputTokens", &Usage::cache_read},
    Spelling{"cacheReadInputTokenCount", &Usage::cache_read},
    Spelling{"cache_read_input_tokens", &Usage::cache_read},
    Spelling{"cacheWriteInputTokens", &Usage::cache_write},
    Spelling{"cacheWriteInputTokenCount", &Usage::cache_write},
    Spelling{"cache_creation_input_tokens", &Usage::cache_write},
};

void take(const std::optional<std::int64_t>& count, Count& into) {
  if (count) into = count;
}

bool take_spelled(std::string_view key, Json value, Usage& into) {
  for (const Spelling& known : kSpellings) {
    if (key != known.key) continue;
    take(count_of(value), into.*known.count);
    return true;
  }
  return false;
}

// Converse lists cache writes by how long they are kept.
void read_cache_details(Json usage, Usage& into) {
  for_each_at(usage, "cacheDetails", [&into](Json each) {
    if (string_at(each, "ttl") == "1h") take(count_at(each, "inputTokens"), into.cache_write_1h);
  });
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
  Count prompt, cached;  // as OpenAI counts
  for_each_member(usage, [&](std::string_view key, Json value) {
    if (key == "prompt_tokens" || key == "input_tokens") prompt = count_of(value);
    if (take_spelled(key, value, into)) return;
    if (key == "prompt_tokens_details" || key == "input_tokens_details") {
      cached = count_at(value, "cached_tokens");
    } else if (key == "completion_tokens_details" || key == "output_tokens_details") {
      take(count_at(value, "reasoning_tokens"), into.reasoning);
    } else if (key == "cacheDetails") {
      read_cache_details(usage, into);
    } else if (key == "cache_creation") {  // Anthropic
      take(count_at(value, "ephemeral_1h_input_tokens"), into.cache_write_1h);
    }
  });
  // OpenAI's count of the prompt holds the cached tokens, Usage::input does not.
  if (!prompt || !cached || *cached > *prompt) return;
  into.input = *prompt - *cached;
  into.cache_read = cached;
}

void read_invocation_metrics(Json metrics, Usage& into) {
  take(count_at(metrics, "inputTokenCount"), into.input);
  take(count_at(metrics, "outputTokenCount"), into.output);
  take(count_at(metrics, "cacheReadInputTokenCount"), into.cache_read);
  take(count_at(metrics, "cacheWriteInputTokenCount"), into.cache_write);
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
