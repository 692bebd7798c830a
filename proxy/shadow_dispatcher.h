#pragma once
// Accepts copies of finished exchanges and plays them to the other variant on a thread of its own,
// with pools of its own. offer(), account() and apply() may be called from any thread; everything
// else happens on the shadow thread. Every copy ends as exactly one of compared, failed, dropped or
// skipped in its route's books.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/recorder.h"
#include "metrics/state_file.h"
#include "proxy/analysis.h"
#include "proxy/handover.h"
#include "proxy/recycler.h"
#include "proxy/shadow_account.h"
#include "proxy/shadow_memory.h"
#include "proxy/sigv4.h"
#include "proxy/snapshot.h"
#include "proxy/task.h"
#include "proxy/upstream_request.h"

namespace understudy::proxy {

// One served exchange whose request goes to the other variant too. Moved from the io thread; owns
// all it needs.
struct ShadowJob : HandoverNode<ShadowJob>, Recycled<ShadowJob> {
  PairContext pair;
  routing::Operation operation = routing::Operation::other;
  routing::Variant served = routing::Variant::primary;
  std::string invocation_id;  // of the SDK's call; empty: none
  // Which attempt of its SDK's call it is, where the SDK counts attempts and names no call.
  enum class Attempt : std::uint8_t { untold, first, repeated } attempt = Attempt::untold;
  std::string sampling_key;
  std::string forwarded;   // the target behind the base path
  ModelPlace model_place;  // in `forwarded`
  ModelPlace body_model;   // in the body
  std::string lines;       // append_forwarded_lines()
  std::string content_type;
  std::string client_authorization,
      client_api_key;  // for the primary of a route that forwards them
  std::optional<Sha256> body_hash;
  SteadyTime offered;
  bool is_probe = false;  // of the route's breaker
  std::size_t legs = 0;   // under way; shadow thread
  // What the legs took of the budget of tokens; shadow thread.
  TokenReservation shadow_tokens{}, control_tokens{};
  const TokenReservation& tokens_of(metrics::Leg leg) const noexcept {
    return leg == metrics::Leg::control ? control_tokens : shadow_tokens;
  }
  std::optional<HeldBytes> held;

  // Makes room for another copy: its calls are over. The comparison may still need the rest.
  void leave() noexcept {
    if (!held) return;
    held.reset();
    pair.account->left();
  }
  void clear() noexcept;
};

// What the shadow thread hands to the analysis comes from here and returns. Outlives the analysis.
struct ShadowThreadMemory {
  metrics::BlockPool blocks;
  Recycler<PairTask> pairs;
};

class ShadowDispatcher {
 public:
  // `memory` is the shadow thread's and outlives the analysis. The store outlives this.
  ShadowDispatcher(Analysis& analysis, metrics::Recorder& recorder, metrics::StateStore& store,
                   ShadowThreadMemory& memory, const routing::Config& config,
                   std::string_view instance_id);
  ~ShadowDispatcher();  // cuts what is left

  // The books of a route's copies: the same object for the same name as long as the process lives.
  std::shared_ptr<ShadowAccount> account(std::string_view route);
  // The same; null where no request of that route came yet.
  std::shared_ptr<const ShadowAccount> known_account(std::string_view route) const;
  ShadowMemory& memory() noexcept;

  // Takes the job, or says why not, at once. Never blocks, never throws. A refusal is for the
  // caller to count.
  std::optional<metrics::DropReason> offer(Recycler<ShadowJob>::Pointer& job) noexcept;

  void apply(const routing::Config& config);
  // Takes no more; drops what waits; lets what is under way end for at most `limit`, then cuts it.
  void drain(std::chrono::milliseconds limit);

  std::size_t queued() const noexcept;
  std::size_t in_flight() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy
