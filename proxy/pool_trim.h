#pragma once
// Gives a thread's unused blocks, and the frames of ended tasks, back to the system once nobody has
// wanted a block for a while. Runs only while there are some, so that an idle thread sleeps.
// Belongs to the pool's thread.

#include <malloc.h>

#include <chrono>

#include "metrics/blocks.h"
#include "proxy/deadline.h"
#include "proxy/frame_pool.h"

namespace understudy::proxy {

class PoolTrim final : private Deadline {
 public:
  static constexpr std::chrono::milliseconds kPeriod{500};

  PoolTrim(DeadlineSweep& sweep, metrics::BlockPool& pool) noexcept
      : Deadline(sweep, AtStop::is_dropped), pool_(pool) {}

  // Something was just put away.
  void soon() noexcept {
    if (waiting_) return;
    waiting_ = true;
    set(kPeriod);
  }

 private:
  void expired() noexcept override {
    waiting_ = false;
    if (pool_.trim() > 0) return soon();
    // Nothing was wanted for a whole period: the one moment to let the allocator tidy up.
    drop_unused_frames();
    malloc_trim(0);
  }

  metrics::BlockPool& pool_;
  bool waiting_ = false;
};

}  // namespace understudy::proxy
