#pragma once
// The credentials of one plan as they are now: written by the keeper's thread, read by all others.
// A thread that signs reads through its CredentialsReader, which takes a lock only when they have
// changed; between changes reading is one load of a word that nobody writes.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/aws/plan.h"
#include "proxy/credentials.h"

namespace understudy::proxy::aws {

// The label is the enumerator's spelling.
enum class CredentialState : std::uint8_t {
  fetching,  // for the first time
  valid,
  late,     // valid still, but they end soon and could not be renewed so far
  missing,  // never there, and the last try failed
  expired,
};
std::string_view label(CredentialState state) noexcept;

struct CredentialStatus {
  CredentialState state = CredentialState::fetching;
  std::optional<WallTime> expires;  // of what is there; none: they last, or there are none
  std::optional<WallTime> fetched;
  std::string problem;          // of the last try; empty where it went well
  std::uint64_t refreshes = 0;  // tries that went well
  std::uint64_t failures = 0;
};

class CredentialSlot {
 public:
  explicit CredentialSlot(CredentialPlan plan) : plan_(std::move(plan)) {}

  const CredentialPlan& plan() const noexcept { return plan_; }

  // Any thread:
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  struct Now {
    std::uint64_t version = 0;
    std::shared_ptr<const Credentials> credentials;  // null: there are none
    CredentialState state = CredentialState::fetching;
  };
  Now now() const;
  CredentialStatus status() const;

  // The keeper. `credentials` may be null.
  void publish(std::shared_ptr<const Credentials> credentials, CredentialStatus status);

 private:
  const CredentialPlan plan_;
  std::atomic<std::uint64_t> version_{0};
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::shared_ptr<const Credentials> credentials_;
  CredentialStatus status_;
};

// One thread's. What it hands out is valid until its next read.
class CredentialsReader {
 public:
  // Null where there are none at the moment; status() says why.
  const Credentials* read(const CredentialSlot& slot) noexcept {
    const std::uint64_t version = slot.version();
    for (const CredentialSlot::Now& known : known_) {
      if (known.version == version && version != 0) return known.credentials.get();
    }
    return renew(slot);
  }

 private:
  const Credentials* renew(const CredentialSlot& slot) noexcept;

  // Versions are never given twice in a process. The oldest entry goes.
  std::array<CredentialSlot::Now, 8> known_;
  std::size_t oldest_ = 0;
};

}  // namespace understudy::proxy::aws
