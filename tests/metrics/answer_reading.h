#pragma once
// Answers as Bedrock sends them, read into observations, and what is expected of them.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/answer.h"
#include "tests/metrics/wire_samples.h"

namespace understudy::metrics {

inline void PrintTo(const Usage& seen, std::ostream* out) {
  for (const auto& count : {seen.input, seen.output, seen.cache_read, seen.cache_write}) {
    *out << (count ? std::to_string(*count) : "-") << ' ';
  }
}

inline AttemptFacts facts(routing::Operation operation) {
  AttemptFacts made;
  made.operation = operation;
  made.model_id = "anthropic.claude-sonnet-4-5-20250929-v1:0";
  made.first_byte = made.begun + std::chrono::milliseconds{5};
  made.ended = made.begun + std::chrono::milliseconds{50};
  return made;
}

// Whatever else is read of it or not, its figures are the same; of an answer that is otherwise no
// good there may be more.
inline Observation read_twice(const AttemptFacts& facts, const CapturedAnswer& captured) {
  const Observation all = read_answer(facts, captured);
  const Observation figures = read_answer(facts, captured, Detail::figures);
  if (all.answer.parsed) {
    EXPECT_EQ(figures.usage, all.usage);
  }
  EXPECT_EQ(figures.status, all.status);
  EXPECT_EQ(figures.error_class, all.error_class);
  EXPECT_EQ(figures.error_type, all.error_type);
  EXPECT_EQ(figures.error_message, all.error_message);
  EXPECT_EQ(figures.total, all.total);
  EXPECT_EQ(figures.first_token, all.first_token);
  return all;
}

inline Observation read_body(routing::Operation operation, std::string_view body,
                             std::vector<std::pair<std::string, std::string>> fields = {}) {
  fields.emplace_back("Content-Type", "application/json");
  return read_twice(facts(operation), test::Reading{}.head(200, fields).body(body).finish());
}

inline Observation read_events(routing::Operation operation, std::string_view body,
                               std::size_t piece = 7) {
  return read_answer(facts(operation), test::Reading{}.stream_head().body(body, piece).finish());
}

inline Observation read_invoke(std::string_view body) {
  return read_body(routing::Operation::invoke_model, body);
}

inline Observation read_chunks(const std::vector<std::string>& inner) {
  std::string body;
  for (const std::string& each : inner) body += test::chunk(each);
  return read_events(routing::Operation::invoke_model_with_response_stream, body);
}

// A recorded HTTP/1.1 answer.
inline Observation read_recorded(routing::Operation operation, const std::string& name) {
  const std::string text = test::corpus("responses/" + name + ".http");
  const std::size_t end = text.find("\r\n\r\n");
  std::vector<std::pair<std::string, std::string>> fields;
  std::size_t at = text.find("\r\n") + 2;
  while (at < end) {
    const std::size_t line_end = text.find("\r\n", at);
    const std::size_t colon = text.find(": ", at);
    fields.emplace_back(text.substr(at, colon - at), text.substr(colon + 2, line_end - colon - 2));
    at = line_end + 2;
  }
  test::Reading reading;
  reading.head(std::stoi(text.substr(9, 3)), fields).body(text.substr(end + 4));
  return read_twice(facts(operation), reading.finish());
}

inline void expect_text(const Observation& seen, std::string_view text,
                        std::string_view stop_reason) {
  EXPECT_TRUE(seen.answer.parsed);
  EXPECT_EQ(seen.answer.text, text);
  EXPECT_EQ(seen.answer.stop_reason, stop_reason);
  EXPECT_EQ(seen.error_class, ErrorClass::ok);
}

inline Usage usage(std::optional<std::int64_t> input, std::optional<std::int64_t> output,
                   std::optional<std::int64_t> cache_read = {},
                   std::optional<std::int64_t> cache_write = {},
                   std::optional<std::int64_t> cache_write_1h = {}) {
  return {.input = input,
          .output = output,
          .cache_read = cache_read,
          .cache_write = cache_write,
          .cache_write_1h = cache_write_1h};
}

}  // namespace understudy::metrics
