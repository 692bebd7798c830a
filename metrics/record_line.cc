// One comparison as one line of JSON:
//
//   ts             when it was compared, RFC 3339, UTC, milliseconds
//   exchange_id    ours
//   route, family, caller (a hash), operation, leg
//   request        redacted, full: the client's body
//   served, other  {variant, model, request_id, status, error_class, error_type, error_message
//   (redacted, full), stop_reason,
//                   latency_ms, first_token_ms, time_per_output_token_ms, tokens{input, output,
//                   cache_read, cache_write}, cost_usd, text_bytes, thinking_bytes, tools[] (names;
//                   redacted, full: {name, arguments}), text (redacted, full)}; what is unknown is
//                   absent
//   signals        {name: {diverges, served_bad, other_bad, value, detail}}, only those that
//                  applied; detail only where there is something to say. As in metrics/comparison.h
//                  `served_bad` is the primary's side, also where the candidate served

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "metrics/records.h"
#include "metrics/redaction.h"

namespace understudy::metrics {

namespace {

using OrderedJson = nlohmann::ordered_json;
using Content = routing::RecordsConfig::Content;

constexpr std::size_t kMaxLabel = 256;
constexpr std::size_t kMaxModelId = 2048;  // of `modelId` in the Amazon Bedrock API Reference

std::string timestamp(std::chrono::system_clock::time_point now) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch());
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since_epoch).count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + size, sizeof text - size, ".%03dZ",
                static_cast<int>(since_epoch.count() % 1000));
  return text;
}

double milliseconds(nanoseconds time) {
  return static_cast<double>(time.count()) / 1e6;
}

// Numbers in error messages make every one unique and may be somebody's.
std::string with_digits_masked(std::string message) {
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c >= '0' && c <= '9'; }, '#');
  return message;
}

class LineWriter {
 public:
  LineWriter(Content content, std::string_view key) : content_(content), redactor_(key) {}

  OrderedJson pair(const PairRecord& record) const;

 private:
  OrderedJson side(const Observation& seen, const std::string& request_id) const;
  OrderedJson tools(const Answer& answer) const;
  OrderedJson text(std::string_view value) const {
    return content_ == Content::full ? OrderedJson(value) : redactor_.text(value);
  }
  OrderedJson document(std::string_view json) const {
    return content_ == Content::full ? OrderedJson(json) : redactor_.document(json);
  }
  bool holds_content() const { return content_ != Content::none; }

  Content content_;
  Redactor redactor_;
};

OrderedJson LineWriter::tools(const Answer& answer) const {
  OrderedJson calls = OrderedJson::array();
  for (const ToolCall& call : answer.tool_calls) {
    const std::string name = name_or_invalid(call.name);
    if (holds_content()) {
      calls.push_back({{"name", name}, {"arguments", document(call.arguments)}});
    } else {
      calls.push_back(name);
    }
  }
  return calls;
}

OrderedJson tokens(const Usage& usage) {
  OrderedJson counts = OrderedJson::object();
  if (usage.input) counts["input"] = *usage.input;
  if (usage.output) counts["output"] = *usage.output;
  if (usage.cache_read) counts["cache_read"] = *usage.cache_read;
  if (usage.cache_write) counts["cache_write"] = *usage.cache_write;
  return counts;
}

OrderedJson LineWriter::side(const Observation& seen, const std::string& request_id) const {
  OrderedJson json;
  json["variant"] = label(seen.variant);
  json["model"] = seen.model_id.substr(0, kMaxModelId);
  if (!request_id.empty()) json["request_id"] = name_or_invalid(request_id);
  json["status"] = seen.status;
  json["error_class"] = label(seen.error_class);
  if (!seen.error_type.empty()) json["error_type"] = name_or_invalid(seen.error_type);
  if (holds_content() && !seen.error_message.empty()) {
    json["error_message"] = text(with_digits_masked(seen.error_message));
  }
  if (!seen.answer.stop_reason.empty()) {
    json["stop_reason"] = name_or_invalid(seen.answer.stop_reason);
  }
  json["latency_ms"] = milliseconds(seen.total);
  if (seen.first_token) json["first_token_ms"] = milliseconds(*seen.first_token);
  if (seen.time_per_output_token) {
    json["time_per_output_token_ms"] = milliseconds(*seen.time_per_output_token);
  }
  json["tokens"] = tokens(seen.usage);
  if (seen.cost_usd) json["cost_usd"] = *seen.cost_usd;
  if (!seen.answer.parsed) return json;
  json["text_bytes"] = seen.answer.text.size();
  json["thinking_bytes"] = seen.answer.thinking_bytes;
  json["tools"] = tools(seen.answer);
  if (holds_content()) json["text"] = text(seen.answer.text);
  return json;
}

OrderedJson signals(const Comparison& comparison) {
  OrderedJson json = OrderedJson::object();
  for (const Finding& finding : comparison.findings) {
    OrderedJson& signal = json[std::string{label(finding.signal)}];
    signal = {{"diverges", finding.diverges},
              {"served_bad", finding.served_bad},
              {"other_bad", finding.other_bad},
              {"value", finding.value}};
    if (!finding.detail.empty()) signal["detail"] = finding.detail;
  }
  return json;
}

OrderedJson LineWriter::pair(const PairRecord& record) const {
  OrderedJson json;
  json["ts"] = timestamp(std::chrono::system_clock::now());
  json["exchange_id"] = record.exchange_id.substr(0, kMaxLabel);
  json["route"] = record.route;
  if (!record.family.empty()) json["family"] = record.family.substr(0, kMaxLabel);
  if (!record.caller.empty()) json["caller"] = record.caller;
  if (record.served != nullptr) json["operation"] = label(record.served->operation);
  json["leg"] = label(record.leg);
  if (holds_content()) json["request"] = document(record.request_body);
  if (record.served != nullptr) json["served"] = side(*record.served, record.request_id_served);
  if (record.other != nullptr) json["other"] = side(*record.other, record.request_id_other);
  if (record.comparison != nullptr) json["signals"] = signals(*record.comparison);
  return json;
}

}  // namespace

std::string to_json_line(const PairRecord& record, Content content, std::string_view key) {
  // ASCII only and invalid UTF-8 replaced: whatever reads the file, a line is a line.
  return LineWriter{content, key}.pair(record).dump(-1, ' ', true,
                                                    OrderedJson::error_handler_t::replace);
}

}  // namespace understudy::metrics
