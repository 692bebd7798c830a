#pragma once
// What an exchange uses of its io thread. Owned by the Worker, used on its thread only; what it
// points to outlives it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/analysis.h"
#include "proxy/hangup_watch.h"
#include "proxy/rewriter.h"
#include "proxy/shadow_dispatcher.h"
#include "proxy/sigv4.h"
#include "proxy/thread_snapshot.h"

namespace understudy::proxy {

// The snapshot in force on a thread, with what the exchanges of each route share.
struct WorkerSnapshot {
  std::shared_ptr<const ThreadSnapshot> view;
  std::vector<std::shared_ptr<ShadowAccount>> accounts;  // as Config::routes
  const Snapshot& snapshot() const noexcept { return *view->snapshot; }
};

struct WorkerContext {
  ThreadResources& resources;
  HangupWatch& hangups;
  Signer& signer;
  metrics::Recorder& recorder;
  Analysis& analysis;
  ShadowDispatcher& dispatcher;
  Rewriter& rewriter;
  std::string instance_id;
  std::shared_ptr<const WorkerSnapshot> current;
  std::uint64_t id_state = 0;  // of next_id()

  // 16 hex digits, different for every exchange of the process.
  std::string next_id();
};

}  // namespace understudy::proxy
