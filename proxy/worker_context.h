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
#include "proxy/body_budget.h"
#include "proxy/exchange_scratch.h"
#include "proxy/file_budget.h"
#include "proxy/object_pool.h"
#include "proxy/pool_trim.h"
#include "proxy/rewriter.h"
#include "proxy/shadow_dispatcher.h"
#include "proxy/sigv4.h"
#include "proxy/text_pool.h"
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
  std::vector<std::shared_ptr<GoneModels>> gone;         // the same; primaries' models
  const Snapshot& snapshot() const noexcept { return *view->snapshot; }
};

// What a worker's exchanges hand to other threads comes from here and returns. Outlives those
// threads.
struct WorkerMemory {
  metrics::BlockPool blocks;
  Recycler<ServedAnswerTask> answers;
  Recycler<ShadowJob> copies;
};

class Exchange;

struct WorkerContext {
  ThreadResources& resources;
  WorkerMemory& memory;
  PoolTrim& trim;  // of memory.blocks
  FileBudget& files;
  BodyBudget& bodies;
  Signer& signer;
  Signer& verifier;  // of clients' signatures: their keys would drive our own out of the signer
  metrics::Recorder& recorder;
  Analysis& analysis;
  ShadowDispatcher& dispatcher;
  Rewriter& rewriter;
  ObjectPool<Exchange>& exchanges;
  std::string instance_id;
  std::shared_ptr<const WorkerSnapshot> current;
  std::uint64_t id_state = 0;  // of next_id()

  ScratchPool scratch{};
  TextPool texts{};

  // Different for every exchange of the process.
  ExchangeId next_id() noexcept;
};

}  // namespace understudy::proxy
