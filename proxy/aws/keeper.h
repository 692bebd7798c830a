#pragma once
// Keeps every upstream's credentials fresh on a thread of its own: fetches them, renews them before
// they end, tries again when that fails, and tells the threads that sign by way of slots. A source
// that hangs or talks nonsense delays nobody while there are valid credentials.
//
// Owned by whoever owns the Server, which it outlives together with its snapshots.

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "metrics/recorder.h"
#include "proxy/aws/slot.h"

namespace understudy::proxy::aws {

// An upstream's share in a slot. Lives as long as the snapshots that hold it.
struct CredentialUse {
  std::string upstream;
  std::shared_ptr<CredentialSlot> slot;
};

class CredentialsKeeper {
 public:
  // `now` is asked for the time of day; any thread may call it.
  explicit CredentialsKeeper(metrics::Recorder& recorder,
                             std::function<WallTime()> now = std::chrono::system_clock::now);
  ~CredentialsKeeper();  // ends fetches under way and joins the thread

  // Any thread. Equal plans share a slot, and its fetches. Fixed credentials are there when this
  // returns, others are being fetched; a plan that is used anew (a reload) is tried again at once
  // where its last try failed or is older than ten seconds.
  std::shared_ptr<const CredentialUse> use(std::string upstream, CredentialPlan plan);

  // Any thread. Waits until the slot's first try has ended; false where it has not within `limit`.
  bool wait_for_first(const CredentialSlot& slot, std::chrono::milliseconds limit) const;

  // Any thread: the time has changed (tests; a clock that is set is noticed within 30 s anyway).
  void look();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy::aws
