#pragma once
// Asks Service Quotas now and then for what the account may ask of the candidates, where
// candidate.quota says `from: service_quotas`: in the region and with the keys of the candidate's
// upstream, at servicequotas.REGION.amazonaws.com or where AWS_ENDPOINT_URL_SERVICE_QUOTAS says.
// One thread of its own; reading() and exposition() from any.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "proxy/periodic.h"
#include "proxy/service_quotas.h"
#include "proxy/snapshot.h"
#include "proxy/volume_status.h"

namespace understudy::proxy {

class QuotaPoll {
 public:
  static constexpr std::size_t kMaxPages = 64;  // of one reading
  struct Options {
    std::chrono::milliseconds look_every{2'000};  // whether it is time
    std::chrono::milliseconds timeout{20'000};    // of a call
    std::chrono::milliseconds try_again{60'000};  // after a reading that failed
    std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  };

  // `snapshot` tells what is in force. Asked from any thread; outlives this.
  QuotaPoll(std::function<std::shared_ptr<const Snapshot>()> snapshot, Environment environment,
            Options options);

  // Reads what is due. The thread does so now and then.
  void look();

  // What is known of a route's candidate, this proxy's part of it.
  QuotaReading reading(const routing::Config& config, const routing::RouteConfig& route) const;
  // understudy_quota_readings_total{upstream,result}, understudy_quota_read_timestamp_seconds.
  std::string exposition() const;

 private:
  // Whose quotas they are: others in another region, or by other credentials.
  struct Key {
    std::string upstream, region;
    std::weak_ptr<const aws::CredentialSlot> credentials;  // equal plans share one
    bool operator<(const Key& other) const;
  };
  struct Account {
    std::vector<ServiceQuota> quotas{};
    std::optional<std::chrono::system_clock::time_point> read{};
    std::string problem = "they have not been read yet";  // empty: the last reading was good
    std::uint64_t good = 0, failed = 0;
  };
  using Asked = std::chrono::steady_clock::time_point;

  static Key key_of(const UpstreamTarget& upstream);
  void forget_all_but(const std::function<bool(const Key&)>& is_wanted);
  void read(const std::shared_ptr<const Snapshot>& snapshot, std::size_t upstream, const Key& key);
  Result<std::vector<ServiceQuota>> ask(const std::shared_ptr<const Snapshot>& snapshot,
                                        std::size_t upstream);
  bool is_due(const Key& key, std::chrono::milliseconds every) const;

  const std::function<std::shared_ptr<const Snapshot>()> snapshot_;
  const Environment environment_;
  const Options options_;
  std::map<Key, Asked> asked_;  // the thread's; as accounts_
  mutable std::mutex mutex_;
  std::map<Key, Account> accounts_;  // guarded by mutex_
  Periodic thread_;                  // ends after the call under way, which `timeout` bounds
};

}  // namespace understudy::proxy
