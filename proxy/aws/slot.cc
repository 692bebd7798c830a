#include "proxy/aws/slot.h"

#include <utility>

namespace understudy::proxy::aws {
namespace {

std::atomic<std::uint64_t> last_version{0};

}  // namespace

std::string_view label(CredentialState state) noexcept {
  switch (state) {
    case CredentialState::fetching:
      return "fetching";
    case CredentialState::valid:
      return "valid";
    case CredentialState::late:
      return "late";
    case CredentialState::missing:
      return "missing";
    case CredentialState::expired:
      break;
  }
  return "expired";
}

CredentialSlot::Now CredentialSlot::now() const {
  const std::lock_guard lock(mutex_);
  return {version_.load(std::memory_order_relaxed), credentials_, status_.state};
}

CredentialStatus CredentialSlot::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void CredentialSlot::publish(std::shared_ptr<const Credentials> credentials,
                             CredentialStatus status) {
  const std::lock_guard lock(mutex_);
  status_ = std::move(status);
  if (credentials == credentials_ && version_.load(std::memory_order_relaxed) != 0) return;
  credentials_ = std::move(credentials);
  version_.store(last_version.fetch_add(1, std::memory_order_relaxed) + 1,
                 std::memory_order_release);
}

const Credentials* CredentialsReader::renew(const CredentialSlot& slot) noexcept {
  CredentialSlot::Now& place = known_[oldest_];
  oldest_ = (oldest_ + 1) % known_.size();
  place = slot.now();
  return place.credentials.get();
}

}  // namespace understudy::proxy::aws
