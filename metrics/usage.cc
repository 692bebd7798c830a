#include "metrics/usage.h"

#include <array>
#include <charconv>

#include "metrics/json_reader.h"

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

// Behind "x-amzn-bedrock-".
constexpr std::array kCountFields{
    Spelling{"input-token-count: ", &Usage::input},
    Spelling{"output-token-count: ", &Usage::output},
    Spelling{"cache-read-input-token-count: ", &Usage::cache_read},
    Spelling{"cache-write-input-token-count: ", &Usage::cache_write},
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
  static constexpr std::string_view kCounts = "x-amzn-bedrock-";
  Usage usage;
  for (std::size_t at = fields.find(kCounts); at != fields.npos; at = fields.find(kCounts, at)) {
    at += kCounts.size();
    const bool begins_line = at == kCounts.size() || fields[at - kCounts.size() - 1] == '\n';
    if (!begins_line) continue;
    const std::string_view line = fields.substr(at, fields.find('\n', at) - at);
    for (const auto& [name, count] : kCountFields) {
      if (line.starts_with(name) && !(usage.*count))
        usage.*count = whole_number(line.substr(name.size()));
    }
  }
  return usage;
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
