#pragma once
// What the admin port answers, without a network: a pure function of a request and of where the
// facts come from.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/events.h"
#include "proxy/fleet_reading.h"
#include "proxy/lifecycle_posts.h"
#include "proxy/rollout_keeper.h"
#include "proxy/server.h"
#include "proxy/snapshot.h"
#include "proxy/status.h"

namespace understudy::proxy {

// Where the answers come from. All are called on the admin thread, but `reload`, which may wait: it
// has a thread of its own.
struct AdminSources {
  std::function<std::string()> exposition;                    // Recorder::render
  std::function<std::shared_ptr<const Snapshot>()> snapshot;  // in force
  std::function<ProcessStatus()> process;
  std::function<ReloadOutcome()> reload;
  EvidenceSource evidence;
  ShadowSource shadow;
  VolumeSource volumes;
  QuotaSource quotas{};                             // none: none is read
  std::function<std::string()> quota_exposition{};  // QuotaPoll::exposition
  std::function<LifecyclePosts::Answer(std::string_view body)> post_lifecycle;
  std::function<void(std::string_view limit)> refused;  // Recorder::refused
  RolloutKeeper& rollouts;
  const EventLog& events;
  std::string replica{};                            // replica_id()
  FleetSource fleet{};                              // none: each proxy decides by itself
  std::function<std::string()> fleet_exposition{};  // FleetWatch::exposition
  FamilyLinesSource family_lines{};                 // none: nobody learns them
};

struct AdminRequest {
  std::string_view method;
  std::string_view target;                         // as sent, a query included
  std::vector<std::string_view> hosts;             // the values of all Host fields
  std::vector<std::string_view> origins;           // of all Origin fields
  std::vector<std::string_view> fetch_sites{};     // of all Sec-Fetch-Site fields
  std::vector<std::string_view> authorizations{};  // of all Authorization fields
  std::string_view body{};
  std::string_view local_address{};  // that the client connected to, without a port
  bool tls = false;
};

struct AdminReply {
  unsigned status = 200;
  std::string_view content_type = "application/json";
  std::string body;
  std::string_view allow;               // set on a 405
  std::string content_security_policy;  // set on the page
  // Where it is set, the answer may take long and is what this returns. Not for the admin thread.
  std::function<AdminReply()> later{};
};

// `port` is the one that the admin listens on. Browsers are led to us by names that resolve to us
// (DNS rebinding), so only loopback's own names and the address that was connected to, with that
// port, and the names of `admin.hosts` are answered, and a POST only from our own page or from no
// page at all. Where the config has a token, nothing is answered without it.
AdminReply answer(const AdminRequest& request, std::uint16_t port, const AdminSources& sources);

// GET of /metrics, /healthz and /readyz, and nothing else, under any name and without a token.
AdminReply read_only_answer(const AdminRequest& request, const AdminSources& sources);

}  // namespace understudy::proxy
