#pragma once
// Buffers in which a request to an upstream is built and the head of its answer is read; used by
// one exchange or leg after the other. One thread.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/http_head.h"

namespace understudy::proxy {

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

class ScratchPool {
 public:
  struct GiveBack {
    ScratchPool* pool;
    void operator()(ExchangeScratch* scratch) const noexcept {
      pool->give_back(std::unique_ptr<ExchangeScratch>(scratch));
    }
  };
  // Must not outlive the pool.
  using Pointer = std::unique_ptr<ExchangeScratch, GiveBack>;

  ScratchPool() { unused_.reserve(kMaxKept); }

  Pointer take() {
    if (unused_.empty()) return Pointer(new ExchangeScratch, GiveBack{this});
    Pointer scratch(unused_.back().release(), GiveBack{this});
    unused_.pop_back();
    return scratch;
  }

 private:
  // No more than are in use at once in ordinary times, and none of an unusual size.
  static constexpr std::size_t kMaxKept = 128;
  static constexpr std::size_t kOrdinaryBytes = 16u << 10;

  void give_back(std::unique_ptr<ExchangeScratch> scratch) noexcept {
    if (scratch->request_head.capacity() > kOrdinaryBytes || unused_.size() >= kMaxKept) return;
    scratch->clear();
    unused_.push_back(std::move(scratch));
  }

  std::vector<std::unique_ptr<ExchangeScratch>> unused_;
};

}  // namespace understudy::proxy
