#include "metrics/record_writer.h"

#include <pthread.h>

#include <cstdint>
#include <exception>
#include <utility>

namespace understudy::metrics {

RecordWriter::RecordWriter(Write write, Limits limits, Recorder& recorder)
    : write_(std::move(write)), limits_(limits), recorder_(recorder), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "records");
}

RecordWriter::~RecordWriter() {
  finish();
  thread_.join();
}

void RecordWriter::append(std::string line) noexcept {
  const std::size_t bytes = line.size();
  try {
    const std::lock_guard lock(mutex_);
    const bool has_room = lines_.empty() || queued_bytes_ + bytes <= limits_.max_queued_bytes;
    if (has_room && !finishing_) {
      lines_.push_back(std::move(line));
      queued_bytes_ += bytes;
      recorder_.records_queued(static_cast<std::int64_t>(bytes));
      wanted_.notify_one();
      return;
    }
  } catch (const std::exception&) {
    // No memory: dropped like one for which there is no room.
  }
  recorder_.records_dropped();
}

void RecordWriter::flush() {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [this] { return lines_.empty(); });
}

void RecordWriter::finish() noexcept {
  const std::lock_guard lock(mutex_);
  finishing_ = true;
  wanted_.notify_one();
}

bool RecordWriter::finished() const noexcept {
  const std::lock_guard lock(mutex_);
  return finished_;
}

void RecordWriter::run() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [this] { return finishing_ || !lines_.empty(); });
    if (lines_.empty()) break;
    const std::string& line = lines_.front();  // stays there: others are only put behind it
    lock.unlock();
    if (try_to_write(line)) {
      recorder_.records_written();
    } else {
      recorder_.records_dropped();
    }
    lock.lock();
    queued_bytes_ -= line.size();
    recorder_.records_queued(-static_cast<std::int64_t>(line.size()));
    lines_.pop_front();
    written_.notify_all();
  }
  lock.unlock();
  write_ = nullptr;  // closes its files, which may take as long as a write
  lock.lock();
  finished_ = true;
}

bool RecordWriter::try_to_write(std::string_view line) noexcept {
  if (Clock::now() < not_before_) return false;
  try {
    if (write_(line)) return true;
  } catch (const std::exception&) {
    // No memory: as a disk that fails.
  }
  not_before_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(limits_.retry_after);
  return false;
}

}  // namespace understudy::metrics
