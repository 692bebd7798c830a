#pragma once
// One call that is made for a copy: to the other variant (shadow) or once more to the served one
// (control). Shadow thread only.

#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string_view>

#include "metrics/shadow_outcome.h"
#include "proxy/analysis.h"
#include "proxy/exchange_scratch.h"
#include "proxy/rewriter.h"
#include "proxy/shadow_dispatcher.h"
#include "proxy/task.h"
#include "proxy/thread_snapshot.h"
#include "proxy/upstream_call.h"

namespace understudy::proxy {

// What legs use of the shadow thread; outlives them.
struct ShadowThread {
  ThreadResources& resources;
  PoolSet& pools;
  Rewriter& rewriter;
  Signer& signer;
  Analysis& analysis;
  ShadowMemory& memory;
  ScratchPool& scratch;
  Recycler<PairTask>& pairs;
  std::string_view instance_id;           // the value of x-understudy-shadow
  std::list<UpstreamCall*> active_calls;  // so that they can be cut
  bool cut;  // they were: no leg begins a call any more, nothing would end its waiting
};

// What a leg came to.
struct LegResult {
  metrics::AttemptFacts facts;
  int status = 0;                     // 0: no answer
  std::chrono::milliseconds pause{};  // the upstream asked to be left alone for (Retry-After)
  bool rewrite_failed = false;        // nothing was sent
  std::optional<metrics::FailReason> failure;  // none: the answer is with the analysis
};

// Sends the job's request, captures the answer within the route's limits and offers it to the
// analysis. Never throws.
Task<LegResult> run_leg(ShadowThread& thread, std::shared_ptr<ShadowJob> job, metrics::Leg leg);

// The job's route and its meter.
const routing::RouteConfig& route_of(const ShadowJob& job);
metrics::RouteMeter& meter_of(const ShadowJob& job);
// How the tokens of a leg count against a quota.
metrics::QuotaRule quota_rule_of(const ShadowJob& job, metrics::Leg leg);

}  // namespace understudy::proxy
