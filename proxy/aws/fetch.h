#pragma once
// Carries a plan out: one try to fetch credentials. Everything here runs on the keeper's thread, as
// coroutines whose calls end by the plan's time-out; what they answer is bounded.

#include <chrono>
#include <functional>
#include <list>

#include "proxy/aws/plan.h"
#include "proxy/credentials.h"
#include "proxy/deadline.h"
#include "proxy/sigv4.h"
#include "proxy/task.h"
#include "proxy/tls_contexts.h"
#include "proxy/upstream_pool.h"

namespace understudy::proxy::aws {

class Watch;

// What fetching uses of the keeper's thread; outlives every fetch.
struct FetchThread {
  ThreadResources& resources;
  Signer& signer;
  TlsContexts& tls;
  std::function<WallTime()> now;
  std::function<std::uint32_t()> random;
  std::list<Watch*> active{};  // so that they can be cut

  void cut() noexcept;
};

// Stops a call when its time is over or the thread ends. `stop` may be called more than once.
class Watch final : private Deadline {
 public:
  Watch(FetchThread& thread, std::chrono::milliseconds after, std::function<void()> stop)
      : Deadline(thread.resources.sweep),
        stop_(std::move(stop)),
        calls_(thread.active),
        place_(calls_.insert(calls_.end(), this)) {
    set(after);
  }
  ~Watch() override { calls_.erase(place_); }
  bool timed_out() const noexcept { return timed_out_; }
  void stop() const { stop_(); }

 private:
  void expired() noexcept override {
    timed_out_ = true;
    stop_();
  }
  const std::function<void()> stop_;
  std::list<Watch*>& calls_;
  const std::list<Watch*>::iterator place_;
  bool timed_out_ = false;
};

// `plan` outlives the fetch. Credentials that have ended already are an error.
Task<Result<Credentials>> fetch_credentials(FetchThread& thread, const CredentialPlan& plan);

// The sources, one unit each. `plan` holds the limits.
Task<Result<Credentials>> fetch_from_process(FetchThread& thread, const CredentialPlan& plan,
                                             const ProcessSource& source);
Task<Result<Credentials>> fetch_by_web_identity(FetchThread& thread, const CredentialPlan& plan,
                                                const WebIdentitySource& source);
Task<Result<Credentials>> fetch_by_single_sign_on(FetchThread& thread, const CredentialPlan& plan,
                                                  const SsoSource& source);
Task<Result<Credentials>> fetch_from_container(FetchThread& thread, const CredentialPlan& plan,
                                               const ContainerSource& source);
Task<Result<Credentials>> fetch_from_imds(FetchThread& thread, const CredentialPlan& plan,
                                          const ImdsSource& source);
// STS AssumeRole, signed with `keys`.
Task<Result<Credentials>> assume_role(FetchThread& thread, const CredentialPlan& plan,
                                      const AssumedRole& role, AwsKeys keys);

}  // namespace understudy::proxy::aws
