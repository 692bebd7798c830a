#pragma once
// What AWS Service Quotas say of Bedrock's models (Service Quotas API Reference, ListServiceQuotas:
// the applied values of an account and region; awsJson1_1). A quota is found by its name, as the
// Bedrock user guide and the console have them: "Cross-region model inference tokens per minute for
// Anthropic Claude Sonnet 4.5 V1". Pure functions; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::proxy {

inline constexpr std::string_view kListServiceQuotas =
    "ServiceQuotasV20190624.ListServiceQuotas";     // x-amz-target
inline constexpr std::size_t kQuotasOfAPage = 100;  // the most that the API gives

// The body of a question for the page behind that token; empty: for the first one.
std::string quota_page_question(std::string_view next_token);

struct ServiceQuota {
  std::string name;
  double value = 0.0;  // a minute
  friend bool operator==(const ServiceQuota&, const ServiceQuota&) = default;
};

struct QuotaPage {
  std::vector<ServiceQuota> quotas;  // those of model inference a minute; Bedrock has many others
  std::string next_token;            // empty: it is the last page
};
// None where it is no such page. `body` is hostile.
std::optional<QuotaPage> read_quota_page(std::string_view body);

struct ModelQuota {
  std::optional<std::uint64_t> requests_per_minute;
  std::optional<std::uint64_t> tokens_per_minute;
  friend bool operator==(const ModelQuota&, const ModelQuota&) = default;
};

// Which of them hold for calls of that model: on demand, across regions or global, as its id's
// geography tells. A name is the model's where both say the same words in any order: "Claude Sonnet
// 4.5 V1" and "claude-sonnet-4-5-20250929-v1:0". `called`, where it is not empty, is what the name
// must end with instead.
ModelQuota quota_of_model(const std::vector<ServiceQuota>& quotas, std::string_view model_id,
                          std::string_view called = {});

// "Cross-region model inference requests per minute", of such ids: for messages.
std::string_view quota_kind(std::string_view model_id) noexcept;

}  // namespace understudy::proxy
