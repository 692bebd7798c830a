#include "proxy/prometheus_query.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "proxy/http_call.h"
#include "proxy/read_file.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;

// {"data": {"result": [{"metric": {...}, "value": [time, "1"]}]}} is five deep; infos may be more.
constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxLabels = 64, kMaxLabelBytes = 1024;
constexpr std::size_t kMaxTokenBytes = 16u << 10;

Error damaged(std::string what) {
  return {ErrorKind::bad_message, Side::upstream, "its answer is damaged: " + std::move(what)};
}

std::string text_of(const json& value) {
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > kMaxLabelBytes) throw std::invalid_argument("a label is too long");
  return text;
}

VectorSample sample_of(const json& from) {
  VectorSample sample;
  const json& labels = from.at("metric");
  if (!labels.is_object() || labels.size() > kMaxLabels)
    throw std::invalid_argument("a series has no labels, or too many");
  for (const auto& [name, value] : labels.items())
    sample.labels.insert_or_assign(name, text_of(value));
  const std::string value = text_of(from.at("value").at(1));
  const auto [end, failure] =
      std::from_chars(value.data(), value.data() + value.size(), sample.value);
  if (failure != std::errc{} || end != value.data() + value.size() || !std::isfinite(sample.value))
    throw std::invalid_argument("a value is no number");
  return sample;
}

InstantVector vector_of(const json& answer) {
  if (answer.at("status") != "success") throw std::invalid_argument("it tells no success");
  // A server in front of several tells so what it could not reach.
  const auto warnings = answer.find("warnings");
  if (warnings != answer.end() && !warnings->empty())
    throw std::invalid_argument("it warns that it may not be complete");
  const json& data = answer.at("data");
  if (data.at("resultType") != "vector") throw std::invalid_argument("it is no vector");
  InstantVector samples;
  samples.reserve(data.at("result").size());
  for (const json& one : data["result"]) samples.push_back(sample_of(one));
  return samples;
}

// What a refusal says, which is Prometheus's own words about our query.
std::string refusal_of(const HttpAnswer& answer) {
  constexpr std::size_t kShown = 200;
  std::string text = "it answered " + std::to_string(answer.status);
  const json body = json::parse(answer.body, nullptr, false);
  if (body.is_object() && body.contains("error") && body["error"].is_string())
    text += ": " + body["error"].get<std::string>().substr(0, kShown);
  return text;
}

std::string time_text(PrometheusTime when) {
  const auto ms = when.time_since_epoch().count();
  std::string fraction = std::to_string(1000 + ms % 1000);
  fraction[0] = '.';
  return std::to_string(ms / 1000) + fraction;
}

// Read for each question, so that a changed token needs no reload.
std::string token_of(const routing::EvidenceConfig& config) {
  if (config.token_file.empty()) return {};
  std::string token = read_file(config.token_file, kMaxTokenBytes).value_or("");
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  return token;
}

}  // namespace

std::string_view VectorSample::label(std::string_view name) const {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string_view{} : std::string_view{found->second};
}

std::optional<std::uint64_t> VectorSample::count() const noexcept {
  constexpr double kLargest = 9007199254740992.0;  // 2^53
  if (value < 0.0 || value > kLargest || std::floor(value) != value) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

std::string form_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char byte : text) {
    if (kPlain.find(byte) != kPlain.npos) {
      encoded += byte;
      continue;
    }
    const auto bits = static_cast<unsigned char>(byte);
    encoded.append({'%', kHex[bits >> 4], kHex[bits & 15]});
  }
  return encoded;
}

Result<InstantVector> parse_instant_vector(std::string_view body) {
  try {
    const auto shallow = [](int depth, json::parse_event_t, json&) {
      if (depth > kMaxDepth) throw std::invalid_argument("it is nested too deeply");
      return true;
    };
    return vector_of(json::parse(body, shallow));
  } catch (const json::exception&) {
    return damaged("it is not what Prometheus answers to a query");
  } catch (const std::exception& problem) {
    return damaged(problem.what());
  }
}

Result<InstantVector> ask_prometheus(const routing::EvidenceConfig& config, std::string_view query,
                                     std::optional<PrometheusTime> when) {
  HttpCall call{.endpoint = *config.prometheus,
                .method = "POST",
                .target = "/api/v1/query",
                .content_type = "application/x-www-form-urlencoded",
                .body = "query=" + form_encoded(query),
                .ca_file = config.ca_file,
                .timeout = config.timeout,
                .max_answer_bytes = config.max_answer_bytes};
  if (when) call.body += "&time=" + time_text(*when);
  if (const std::string token = token_of(config); !token.empty())
    call.fields.emplace_back("authorization", "Bearer " + token);
  const auto answer = call_http(call);
  if (!answer) return answer.error();
  if (answer->status != 200)
    return Error{ErrorKind::bad_message, Side::upstream, refusal_of(*answer)};
  return parse_instant_vector(answer->body);
}

}  // namespace understudy::proxy
