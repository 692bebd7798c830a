#include "proxy/served_capture.h"

#include <utility>

namespace understudy::proxy {

void ServedCapture::begin(const ResponseHead& head, std::optional<std::size_t> whole_bytes) {
  metrics::ResponseReader::Budget budget;
  keeps_whole_ = whole_bytes.has_value();
  if (keeps_whole_) budget.beginning_bytes = *whole_bytes;
  task_ = worker_.memory.answers.take();
  reader_.emplace(worker_.resources.blocks, budget, std::move(task_->captured));
  reader_->on_head(head.status, head.fields);
}

void ServedCapture::look_at(const UpstreamCall::Part& part, metrics::TimePoint when) {
  for (const std::string_view piece : part.pieces) {
    if (keeps_whole_ && !refused_ && !held_.grow(piece.size())) {
      refused_ = true;
      reader_->stop_keeping();
    }
    reader_->on_body(piece, when);
  }
}

Recycler<ServedAnswerTask>::Pointer ServedCapture::take(metrics::AnswerEnd end) {
  task_->captured = reader_->finish(end);
  task_->bytes = task_->captured.kept_bytes();
  return std::move(task_);
}

}  // namespace understudy::proxy
