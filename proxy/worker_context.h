#pragma once
// What an exchange uses of its io thread. Owned by the Worker, used on its thread only; what it
// points to outlives it.

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/analysis.h"
#include "proxy/hangup_watch.h"
#include "proxy/http_head.h"
#include "proxy/object_pool.h"
#include "proxy/rewriter.h"
#include "proxy/shadow_dispatcher.h"
#include "proxy/sigv4.h"
#include "proxy/thread_snapshot.h"

namespace understudy::proxy {

// 16 hex digits.
struct ExchangeId {
  std::array<char, 16> digits{};
  std::string_view view() const noexcept { return {digits.data(), digits.size()}; }
};

// The snapshot in force on a thread, with what the exchanges of each route share.
struct WorkerSnapshot {
  std::shared_ptr<const ThreadSnapshot> view;
  std::vector<std::shared_ptr<ShadowAccount>> accounts;  // as Config::routes
  const Snapshot& snapshot() const noexcept { return *view->snapshot; }
};

// Buffers that one exchange uses and the next one uses again.
struct ExchangeScratch {
  std::string lines;         // the forwarded header fields
  std::string target;        // of the upstream
  std::string request_head;  // to the upstream
  ResponseHead answer;

  void clear() noexcept {
    lines.clear();
    target.clear();
    request_head.clear();
    answer.fields.clear();
  }
};

class Exchange;

struct WorkerContext {
  ThreadResources& resources;
  HangupWatch& hangups;
  Signer& signer;
  metrics::Recorder& recorder;
  Analysis& analysis;
  ShadowDispatcher& dispatcher;
  Rewriter& rewriter;
  ObjectPool<Exchange>& exchanges;
  std::string instance_id;
  std::shared_ptr<const WorkerSnapshot> current;
  std::uint64_t id_state = 0;  // of next_id()

  std::vector<std::unique_ptr<ExchangeScratch>> unused_scratch{};

  // Different for every exchange of the process.
  ExchangeId next_id() noexcept;
};

}  // namespace understudy::proxy
