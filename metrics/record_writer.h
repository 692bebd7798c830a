#pragma once
// Writes lines on a thread of its own, so that whoever makes them never waits for a disk: one that
// hangs costs records, and they are counted. Owned by a RecordLog. Any thread.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "metrics/recorder.h"

namespace understudy::metrics {

class RecordWriter {
 public:
  // Whole or not at all; false: it is not written. Called on the writer's thread.
  using Write = std::function<bool(std::string_view line)>;
  struct Limits {
    // Of lines that wait, the one under way included. A longer line is taken when none waits.
    std::size_t max_queued_bytes = 16u << 20;
    // After a failure nothing is tried for so long: a disk that fails each time helps nobody.
    std::chrono::nanoseconds retry_after = std::chrono::seconds{30};
  };
  // The recorder outlives this.
  RecordWriter(Write write, Limits limits, Recorder& recorder);
  ~RecordWriter();  // what waits is tried first
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  // Taken, or counted as dropped.
  void append(std::string line) noexcept;
  // Returns when nothing waits any more.
  void flush();
  // What comes from now on is dropped, and the thread ends when nothing waits. Does not wait for
  // that.
  void finish() noexcept;
  // That it has, and let go of `write`: the destructor does not wait for the disk.
  bool finished() const noexcept;

 private:
  using Clock = std::chrono::steady_clock;

  void run() noexcept;
  bool try_to_write(std::string_view line) noexcept;

  Write write_;  // the thread's own
  const Limits limits_;
  Recorder& recorder_;
  mutable std::mutex mutex_;
  std::condition_variable wanted_, written_;
  // Guarded by mutex_:
  std::deque<std::string> lines_;  // the first one is under way
  std::size_t queued_bytes_ = 0;
  bool finishing_ = false, finished_ = false;

  Clock::time_point not_before_{};  // the thread's own
  std::thread thread_;
};

}  // namespace understudy::metrics
