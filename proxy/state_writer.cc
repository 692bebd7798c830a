#include "proxy/state_writer.h"

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <utility>

#include "proxy/log.h"

namespace understudy::proxy {
namespace {

void tell(const std::string& problem) {
  log_error("state_not_saved", {{"what", problem}});
}

}  // namespace

StateWriter::StateWriter(Options options)
    : options_(std::move(options)), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "state-writer");
}

StateWriter::~StateWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_one();
  thread_.join();
}

metrics::StateText StateWriter::read(const std::filesystem::path& file, std::uintmax_t max_bytes) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = unwritten_.find(file);
    if (found != unwritten_.end() && !found->second.forgotten) return {*found->second.text, {}};
  }
  return metrics::read_state_file(file, max_bytes);
}

std::string StateWriter::write(const std::filesystem::path& file, std::string text) {
  auto shared = std::make_shared<const std::string>(std::move(text));
  const auto now = Clock::now();
  std::unique_lock lock(mutex_);
  const auto [at, is_new] = unwritten_.try_emplace(file);
  Unwritten& of_file = at->second;
  if (is_new) of_file.since = now;
  of_file.text = std::move(shared);
  of_file.version = ++versions_;
  of_file.given = of_file.next_try = now;
  of_file.forgotten = false;
  // A try that hangs cannot tell of itself; one that failed has told.
  const bool is_told = is_new || of_file.told || !of_file.problem.empty();
  const std::string hangs = is_told ? std::string() : too_long(at);
  of_file.told = of_file.told || !hangs.empty();
  lock.unlock();
  wanted_.notify_one();
  if (!hangs.empty()) tell(hangs);
  return {};
}

bool StateWriter::set_aside(const std::filesystem::path& file, std::string_view why) {
  if (problem_after_try(file).empty()) return metrics::set_state_file_aside(file, why);
  std::unique_lock lock(mutex_);
  const auto found = unwritten_.find(file);
  const auto newest = found != unwritten_.end() ? found->second.text : nullptr;
  if (newest) forget(found);
  lock.unlock();
  if (!newest) return metrics::set_state_file_aside(file, why);  // written at the last moment
  write(file.string() + "." + std::string(why), *newest);
  return true;
}

void StateWriter::forget(const std::filesystem::path& file) {
  const std::lock_guard lock(mutex_);
  const auto found = unwritten_.find(file);
  if (found != unwritten_.end()) forget(found);
}

void StateWriter::forget(Files::iterator file) {
  if (file == under_way_) {
    file->second.forgotten = true;
  } else {
    unwritten_.erase(file);
  }
}

std::string StateWriter::problem(const std::filesystem::path& file) const {
  const std::lock_guard lock(mutex_);
  return problem_of(unwritten_.find(file));
}

std::string StateWriter::problem_after_try(const std::filesystem::path& file) const {
  std::unique_lock lock(mutex_);
  const auto before = unwritten_.find(file);
  if (before == unwritten_.end()) return {};
  tried_.wait_for(lock, options_.patience, [&, version = before->second.version] {
    const auto now = unwritten_.find(file);
    return now == unwritten_.end() || now->second.tried >= version;
  });
  return problem_of(unwritten_.find(file));
}

std::string StateWriter::problem_of(Files::const_iterator file) const {
  if (file == unwritten_.end() || file->second.forgotten) return {};
  return file->second.problem.empty() ? too_long(file) : file->second.problem;
}

std::string StateWriter::too_long(Files::const_iterator file) const {
  const auto waits =
      std::chrono::floor<std::chrono::milliseconds>(Clock::now() - file->second.since);
  if (waits < options_.patience) return {};
  std::string text = "write " + file->first.string() + ": ";
  if (under_way_ != unwritten_.end() && under_way_ != file)
    text += "waits behind " + under_way_->first.string() + ", and ";
  return text + "the disk has not answered for " + std::to_string(waits.count()) + " ms";
}

std::string StateWriter::exposition() const {
  const std::lock_guard lock(mutex_);
  std::ptrdiff_t in_danger = 0;
  for (auto file = unwritten_.begin(); file != unwritten_.end(); ++file)
    in_danger += problem_of(file).empty() ? 0 : 1;
  return "# HELP understudy_state_unwritten_files State files that a restart would find old: their "
         "disk fails or hangs.\n"
         "# TYPE understudy_state_unwritten_files gauge\n"
         "understudy_state_unwritten_files " +
         std::to_string(in_danger) +
         "\n# HELP understudy_state_writes_total Tries to write a state file, by result.\n"
         "# TYPE understudy_state_writes_total counter\n"
         "understudy_state_writes_total{result=\"ok\"} " +
         std::to_string(written_) + "\nunderstudy_state_writes_total{result=\"failed\"} " +
         std::to_string(failed_) + "\n";
}

void StateWriter::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto next = std::ranges::min_element(
        unwritten_, {}, [](const auto& of_file) { return of_file.second.next_try; });
    if (next == unwritten_.end()) {
      wanted_.wait(lock);
    } else if (const auto when = next->second.next_try; when > Clock::now()) {
      wanted_.wait_until(lock, when);
    } else {
      try_to_write(next, lock);
    }
  }
  for (auto file = unwritten_.begin(); file != unwritten_.end();) try_to_write(file++, lock);
}

// The lock is given up meanwhile.
void StateWriter::try_to_write(Files::iterator file, std::unique_lock<std::mutex>& lock) {
  Unwritten& of_file = file->second;
  const std::shared_ptr<const std::string> text = of_file.text;
  const auto version = of_file.version;
  const std::string before = of_file.problem;
  under_way_ = file;
  lock.unlock();
  std::string problem;
  try {
    problem = options_.write(file->first, *text);
  } catch (const std::exception& failure) {  // no memory
    problem = "write " + file->first.string() + ": " + failure.what();
  }
  if (!problem.empty() && problem != before) tell(problem);
  lock.lock();
  under_way_ = unwritten_.end();
  ++(problem.empty() ? written_ : failed_);
  const bool is_newest = of_file.version == version;
  of_file.tried = version;
  if (of_file.forgotten || (is_newest && problem.empty())) {
    unwritten_.erase(file);
  } else {
    if (problem.empty()) {
      of_file.since = of_file.given;
      of_file.told = false;
    }
    of_file.next_try = is_newest ? Clock::now() + options_.retry_every : Clock::now();
    of_file.problem = std::move(problem);
  }
  tried_.notify_all();
}

}  // namespace understudy::proxy
