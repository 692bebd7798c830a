#include "proxy/quota_poll.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "proxy/aws/endpoints.h"
#include "proxy/log.h"
#include "proxy/upstream_probe.h"

namespace understudy::proxy {
namespace {

using std::chrono::milliseconds;

std::optional<std::uint64_t> part_of(const std::optional<std::uint64_t>& whole,
                                     routing::Percent part) {
  if (!whole) return std::nullopt;
  return static_cast<std::uint64_t>(static_cast<double>(*whole) * part.fraction());
}

std::string none_found(const std::string& model, const std::string& name) {
  return "none is called \"" + std::string(quota_kind(model)) +
         " model inference ... per minute for " +
         (name.empty() ? "(the model of " + model + ")" : name) +
         "\": say quota.name, or give the figures";
}

}  // namespace

QuotaPoll::QuotaPoll(std::function<std::shared_ptr<const Snapshot>()> snapshot,
                     Environment environment, Options options)
    : snapshot_(std::move(snapshot)),
      environment_(std::move(environment)),
      options_(std::move(options)),
      thread_("quotas", options_.look_every, [this] { look(); }) {}

bool QuotaPoll::Key::operator<(const Key& other) const {
  const auto mine = std::tie(upstream, region), its = std::tie(other.upstream, other.region);
  return mine < its || (mine == its && credentials.owner_before(other.credentials));
}

QuotaPoll::Key QuotaPoll::key_of(const UpstreamTarget& upstream) {
  return {.upstream = upstream.config.name,
          .region = upstream.config.region,
          .credentials = upstream.credentials->slot};
}

bool QuotaPoll::is_due(const Key& key, milliseconds every) const {
  const auto asked = asked_.find(key);
  if (asked == asked_.end()) return true;
  const std::lock_guard lock(mutex_);
  const auto known = accounts_.find(key);
  const bool failed = known == accounts_.end() || !known->second.problem.empty();
  return options_.now() - asked->second >= (failed ? std::min(every, options_.try_again) : every);
}

void QuotaPoll::look() {
  struct Wanted {
    std::size_t upstream;
    milliseconds every;
  };
  const auto snapshot = snapshot_();
  std::map<Key, Wanted> wanted;
  for (const routing::RouteConfig& route : snapshot->config().routes) {
    if (!route.candidate || !route.candidate->quota.service_quotas) continue;
    const std::size_t upstream = route.candidate->upstream;
    const milliseconds every = route.candidate->quota.service_quotas->every;
    Wanted& one =
        wanted.try_emplace(key_of(*snapshot->upstreams[upstream]), Wanted{upstream, every})
            .first->second;
    one.every = std::min(one.every, every);
  }
  forget_all_but([&wanted](const Key& key) { return wanted.contains(key); });
  for (const auto& [key, one] : wanted) {
    if (thread_.stopping()) return;
    if (is_due(key, one.every)) read(snapshot, one.upstream, key);
  }
}

// Before others are read: of one upstream no two stand side by side.
void QuotaPoll::forget_all_but(const std::function<bool(const Key&)>& is_wanted) {
  const auto is_past = [&is_wanted](const auto& known) { return !is_wanted(known.first); };
  std::erase_if(asked_, is_past);
  const std::lock_guard lock(mutex_);
  std::erase_if(accounts_, is_past);
}

void QuotaPoll::read(const std::shared_ptr<const Snapshot>& snapshot, std::size_t upstream,
                     const Key& key) {
  auto quotas = ask(snapshot, upstream);
  asked_[key] = options_.now();
  const std::lock_guard lock(mutex_);
  Account& account = accounts_[key];
  if (quotas) {
    account.quotas = std::move(*quotas);
    account.read = std::chrono::system_clock::now();
    account.problem.clear();
    ++account.good;
    log_info("quotas_read", {{"upstream", std::string_view{key.upstream}},
                             {"quotas", static_cast<std::int64_t>(account.quotas.size())}});
  } else {
    account.problem = quotas.error().context;
    ++account.failed;
    log_warn("quotas_not_read", {{"upstream", std::string_view{key.upstream}},
                                 {"what", std::string_view{account.problem}}});
  }
}

Result<std::vector<ServiceQuota>> QuotaPoll::ask(const std::shared_ptr<const Snapshot>& snapshot,
                                                 std::size_t upstream) {
  const auto refused = [](std::string why) {
    return Error{ErrorKind::bad_message, Side::upstream, std::move(why)};
  };
  const auto endpoint =
      aws::service_endpoint("servicequotas", snapshot->config().upstreams[upstream].region,
                            "AWS_ENDPOINT_URL_SERVICE_QUOTAS", environment_);
  if (!endpoint) return endpoint.error();
  std::vector<ServiceQuota> all;
  std::string next_token;
  for (std::size_t number = 0; number < kMaxPages; ++number) {
    if (thread_.stopping()) return refused("the proxy stops");
    const auto answer = ask_upstream(snapshot, upstream,
                                     {.target = "/",
                                      .body = quota_page_question(next_token),
                                      .action = ServiceAction{.endpoint = *endpoint,
                                                              .service = "servicequotas",
                                                              .name = kListServiceQuotas}},
                                     options_.timeout);
    if (!answer) return answer.error();
    if (answer->status != 200)
      return refused("Service Quotas answered " + std::to_string(answer->status) +
                     (answer->status == 400 || answer->status == 403
                          ? ": the keys need servicequotas:ListServiceQuotas"
                          : ""));
    auto page = read_quota_page(answer->body);
    if (!page) return refused("Service Quotas answered what is no list of quotas");
    std::ranges::move(page->quotas, std::back_inserter(all));
    if (page->next_token.empty()) return all;
    if (page->next_token == next_token) break;
    next_token = std::move(page->next_token);
  }
  return refused("Service Quotas' list does not end");
}

QuotaReading QuotaPoll::reading(const routing::Config& config,
                                const routing::RouteConfig& route) const {
  QuotaReading reading;
  if (!route.candidate || !route.candidate->quota.service_quotas) return reading;
  const routing::VariantConfig& candidate = *route.candidate;
  const routing::ServiceQuotaSource& source = *candidate.quota.service_quotas;
  reading.asked = true;
  const auto snapshot = snapshot_();
  const auto target =
      std::ranges::find(snapshot->upstreams, config.upstreams[candidate.upstream].name,
                        [](const auto& upstream) { return upstream->config.name; });
  if (target == snapshot->upstreams.end()) return reading;
  const std::lock_guard lock(mutex_);
  const auto known = accounts_.find(key_of(**target));
  if (known == accounts_.end()) return reading;
  const Account& account = known->second;
  reading.problem = account.problem;
  reading.read = account.read;
  if (!account.read) return reading;
  const ModelQuota found = quota_of_model(account.quotas, candidate.model, source.name);
  reading.requests_per_minute = part_of(found.requests_per_minute, source.part);
  reading.tokens_per_minute = part_of(found.tokens_per_minute, source.part);
  if (found == ModelQuota{} && reading.problem.empty())
    reading.problem = none_found(candidate.model, source.name);
  return reading;
}

std::string QuotaPoll::exposition() const {
  std::string counts =
      "# HELP understudy_quota_readings_total Readings of Service Quotas, by result.\n"
      "# TYPE understudy_quota_readings_total counter\n";
  std::string times =
      "# HELP understudy_quota_read_timestamp_seconds When Service Quotas last told them.\n"
      "# TYPE understudy_quota_read_timestamp_seconds gauge\n";
  const std::lock_guard lock(mutex_);
  for (const auto& [key, account] : accounts_) {
    const std::string of = "{upstream=\"" + key.upstream + "\"";
    counts += "understudy_quota_readings_total" + of + ",result=\"ok\"} " +
              std::to_string(account.good) + "\n";
    counts += "understudy_quota_readings_total" + of + ",result=\"failed\"} " +
              std::to_string(account.failed) + "\n";
    if (!account.read) continue;
    const auto read = std::chrono::floor<std::chrono::seconds>(*account.read).time_since_epoch();
    times +=
        "understudy_quota_read_timestamp_seconds" + of + "} " + std::to_string(read.count()) + "\n";
  }
  return counts + times;
}

}  // namespace understudy::proxy
