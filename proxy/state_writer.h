#pragma once
// Writes state files on a thread of its own, so that whoever decides never waits for a disk: a
// rollback is in force though the disk hangs. What fails is logged, and tried again until it
// succeeds, newer text takes its place or it is forgotten. One file after the other: one that hangs
// holds the others up. Owned by the serve command; whoever writes by it goes first. Any thread.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "metrics/state_file.h"

namespace understudy::proxy {

class StateWriter final : public metrics::StateStore {
 public:
  struct Options {
    // Empty on success, else what went wrong. Tests write to a disk that hangs.
    std::function<std::string(const std::filesystem::path&, std::string_view)> write =
        metrics::write_state_file;
    std::chrono::milliseconds retry_every{1'000};
    // A text that waits for longer is told of; so long may somebody wait who asks for it.
    std::chrono::milliseconds patience{500};
  };
  explicit StateWriter(Options options);
  StateWriter() : StateWriter(Options{}) {}
  ~StateWriter() override;  // tries what is left once more
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;

  // --- StateStore
  // What is there, or is going to be.
  metrics::StateText read(const std::filesystem::path& file, std::uintmax_t max_bytes) override;
  // Never waits for the disk. Of texts for one file the last one counts.
  std::string write(const std::filesystem::path& file, std::string text) override;
  // What is to be written is written before; where the disk fails or takes too long, it is written
  // as PATH.WHY when it can be.
  bool set_aside(const std::filesystem::path& file, std::string_view why) override;

  // It is kept elsewhere from now on: what is not written yet need not be.
  void forget(const std::filesystem::path& file);

  // Why a restart would not find what was written last. Empty: it would, or is about to.
  std::string problem(const std::filesystem::path& file) const;
  // The same once that was tried, or there is no patience left: empty means that it is on disk.
  std::string problem_after_try(const std::filesystem::path& file) const;

  // understudy_state_unwritten_files and understudy_state_writes_total{result} in the exposition's
  // text format.
  std::string exposition() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Unwritten {
    std::shared_ptr<const std::string> text;
    std::uint64_t version = 0, tried = 0;  // of the text; rise by one
    // When the oldest text was given of those that are not on disk, when the newest.
    Clock::time_point since{}, given{};
    Clock::time_point next_try{};
    bool forgotten = false;  // while it was being written
    std::string problem{};   // of the last try
    bool told = false;       // that it takes too long
  };
  using Files = std::map<std::filesystem::path, Unwritten>;

  void run();
  void forget(Files::iterator file);
  void try_to_write(Files::iterator file, std::unique_lock<std::mutex>& lock);
  std::string problem_of(Files::const_iterator file) const;
  std::string too_long(Files::const_iterator file) const;

  const Options options_;
  mutable std::mutex mutex_;
  mutable std::condition_variable tried_;
  std::condition_variable wanted_;
  // Guarded by mutex_:
  Files unwritten_;
  Files::const_iterator under_way_ = unwritten_.end();  // only the thread erases that one
  std::uint64_t versions_ = 0;
  std::uint64_t written_ = 0, failed_ = 0;  // tries
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace understudy::proxy
