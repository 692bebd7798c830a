#pragma once
// What an exchange keeps of the answer that it relays, for the analysis: of an answer that is
// compared all of it, as far as there is memory; of any other enough for usage, stop reason and the
// first token's time. Looks at the bytes as they pass, never alters them. Owned by its exchange; io
// thread.

#include <cstddef>
#include <optional>

#include "metrics/response_reader.h"
#include "proxy/analysis.h"
#include "proxy/shadow_memory.h"
#include "proxy/upstream_call.h"
#include "proxy/worker_context.h"

namespace understudy::proxy {

class ServedCapture {
 public:
  explicit ServedCapture(WorkerContext& worker)
      : worker_(worker), held_(worker.dispatcher.memory()) {}

  // `whole_bytes`: how much of the body a comparison needs; none where nothing is compared.
  void begin(const ResponseHead& head, std::optional<std::size_t> whole_bytes);
  void look_at(const UpstreamCall::Part& part, metrics::TimePoint when);

  bool begun() const noexcept { return reader_.has_value(); }
  // There was no memory for what a comparison needs.
  bool refused() const noexcept { return refused_; }
  // Once begun. What is known of the exchange is the caller's to fill in.
  Recycler<ServedAnswerTask>::Pointer take(metrics::AnswerEnd end);

 private:
  WorkerContext& worker_;
  HeldBytes held_;
  bool keeps_whole_ = false;
  bool refused_ = false;
  Recycler<ServedAnswerTask>::Pointer task_;
  std::optional<metrics::ResponseReader> reader_;
};

}  // namespace understudy::proxy
