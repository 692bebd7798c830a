#include "tests/simulator/service_quotas.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/simulator/authentication.h"
#include "tests/simulator/prompt.h"

namespace understudy::simulator {
namespace {

using nlohmann::json;

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Reply answered(unsigned status, const json& body) {
  Reply reply;
  reply.status = status;
  reply.headers = {{"Content-Type", "application/x-amz-json-1.1"}};
  reply.body = dump(body);
  return reply;
}

Reply refused(const char* type, const char* message) {
  return answered(400, {{"__type", type}, {"Message", message}});
}

json quota_json(const Quota& quota, const Config& config) {
  const std::string code = "L-" + sha256_hex(quota.name).substr(0, 8);
  return {{"Adjustable", true},
          {"GlobalQuota", false},
          {"Period", {{"PeriodUnit", "MINUTE"}, {"PeriodValue", 1}}},
          {"QuotaAppliedAtLevel", "ACCOUNT"},
          {"QuotaArn", "arn:aws:servicequotas:" + config.auth.region + ":" + config.account +
                           ":bedrock/" + code},
          {"QuotaCode", code},
          {"QuotaName", quota.name},
          {"ServiceCode", "bedrock"},
          {"ServiceName", "Amazon Bedrock"},
          {"Unit", "None"},
          {"Value", quota.value}};
}

// Where a page begins: 0 without a token, none for one that this service never gave.
std::optional<std::size_t> begin_of(const json& question, std::size_t quotas) {
  const auto token = question.find("NextToken");
  if (token == question.end()) return 0;
  if (!token->is_string()) return std::nullopt;
  const auto& text = token->get_ref<const std::string&>();
  std::size_t begin = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), begin);
  if (error != std::errc{} || end != text.data() + text.size() || begin >= quotas)
    return std::nullopt;
  return begin;
}

}  // namespace

bool asks_for_quotas(const Request& request) {
  return request.method == "POST" && request.path() == "/" &&
         request.header("x-amz-target") == "ServiceQuotasV20190624.ListServiceQuotas";
}

Reply list_service_quotas(const Request& request, const Config& config) {
  const auto question = parse_json(request.body);
  if (!question || !question->is_object() || question->value("ServiceCode", json()) != "bedrock")
    return refused("NoSuchResourceException", "The service code is not valid.");
  const auto begin = begin_of(*question, config.quotas.size());
  if (!begin) return refused("InvalidPaginationTokenException", "The token is not valid.");
  std::size_t page = config.quotas_a_page;
  if (const json most = question->value("MaxResults", json()); most.is_number_unsigned())
    page = std::clamp<std::size_t>(most.get<std::size_t>(), 1, page);
  const std::size_t end = std::min(*begin + page, config.quotas.size());
  json quotas = json::array();
  for (std::size_t i = *begin; i < end; ++i) quotas.push_back(quota_json(config.quotas[i], config));
  json answer{{"Quotas", std::move(quotas)}};
  if (end < config.quotas.size()) answer["NextToken"] = std::to_string(end);
  return answered(200, answer);
}

}  // namespace understudy::simulator
