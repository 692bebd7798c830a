#include "metrics/record_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <memory>
#include <utility>

namespace understudy::metrics {

namespace {

constexpr std::string_view kPrefix = "understudy-records-";
constexpr std::string_view kPattern = "00000000T000000Z-000000.jsonl";  // '0' stands for a digit
constexpr int kMaxNames = 1'000'000;                                    // of one second
constexpr int kOpenFlags = O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC;

std::string file_name(std::time_t now, int number) {
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  std::snprintf(text + size, sizeof text - size, "-%06d.jsonl", number);
  return std::string{kPrefix} + text;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool is_unlinked(int fd) {
  struct stat state {};
  return ::fstat(fd, &state) == 0 && state.st_nlink == 0;
}

// Where the last whole line ends. A process that was killed may leave a part of one behind.
std::uint64_t end_of_last_line(int fd, std::uint64_t size) {
  constexpr std::uint64_t kPiece = 64u << 10;
  std::string piece;
  while (size > 0) {
    const std::uint64_t begin = size > kPiece ? size - kPiece : 0;
    piece.resize(static_cast<std::size_t>(size - begin));
    const ssize_t got = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(begin));
    if (got != static_cast<ssize_t>(piece.size())) return size;
    const std::size_t newline = piece.rfind('\n');
    if (newline != std::string::npos) return begin + newline + 1;
    size = begin;
  }
  return 0;
}

}  // namespace

FileHandle::FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

bool is_record_file_name(std::string_view name) noexcept {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  return std::equal(
      name.begin(), name.end(), kPattern.begin(), kPattern.end(),
      [](char c, char wanted) { return wanted == '0' ? c >= '0' && c <= '9' : c == wanted; });
}

// At least two files fit into the total, so that removing the oldest never removes them all.
RecordFiles::RecordFiles(std::string directory, std::size_t rotate_bytes,
                         std::size_t max_total_bytes, std::size_t keep_free_bytes)
    : path_(std::move(directory)),
      max_total_bytes_(max_total_bytes),
      rotate_bytes_(std::min(rotate_bytes, max_total_bytes / 2)),
      keep_free_bytes_(keep_free_bytes) {}

bool RecordFiles::append(std::string_view line) {
  if (!directory_ && !open_directory()) return false;
  if (!has_room()) return false;
  if (file_ && is_unlinked(file_.get())) file_ = FileHandle{};  // somebody tidied up
  const bool full = file_bytes_ != 0 && file_bytes_ + line.size() > rotate_bytes_;
  if ((!file_ || full) && !open_file(line.size())) return false;
  if (write_all(file_.get(), line)) {
    file_bytes_ += line.size();
    return true;
  }
  // What cannot be taken back is cut off when the file is opened again.
  [[maybe_unused]] const int taken_back = ::ftruncate(file_.get(), static_cast<off_t>(file_bytes_));
  file_ = FileHandle{};
  directory_ = FileHandle{};
  return false;
}

bool RecordFiles::open_directory() {
  std::error_code ignored;  // the open below tells
  std::filesystem::create_directories(std::filesystem::path{path_}.parent_path(), ignored);
  const bool made = ::mkdir(path_.c_str(), 0700) == 0;
  directory_ = FileHandle{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  return directory_ && (!made || ::fchmod(directory_.get(), 0700) == 0);
}

bool RecordFiles::has_room() const {
  struct statvfs state {};
  if (::fstatvfs(directory_.get(), &state) != 0) return false;
  return static_cast<std::uint64_t>(state.f_bavail) * state.f_frsize >= keep_free_bytes_;
}

bool RecordFiles::open_file(std::size_t next_line_bytes) {
  const bool rotating = static_cast<bool>(file_);
  file_ = FileHandle{};
  const std::vector<Entry> entries = list();
  if (!rotating && continue_newest(entries, next_line_bytes)) return true;
  remove_oldest(entries, next_line_bytes);
  return begin_new();
}

// After a restart the newest file is written on, unless another process writes it.
bool RecordFiles::continue_newest(const std::vector<Entry>& entries, std::size_t next_line_bytes) {
  if (entries.empty() || entries.back().bytes + next_line_bytes > rotate_bytes_) return false;
  FileHandle file{::openat(directory_.get(), entries.back().name.c_str(), kOpenFlags)};
  struct stat state {};
  if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(file.get(), &state) != 0 ||
      !S_ISREG(state.st_mode)) {
    return false;
  }
  const auto size = static_cast<std::uint64_t>(state.st_size);
  const std::uint64_t whole = end_of_last_line(file.get(), size);
  if (whole != size && ::ftruncate(file.get(), static_cast<off_t>(whole)) != 0) return false;
  file_bytes_ = whole;
  file_ = std::move(file);
  return true;
}

bool RecordFiles::begin_new() {
  const std::time_t now = std::time(nullptr);
  for (int number = 0; number < kMaxNames; ++number) {
    const std::string name = file_name(now, number);
    FileHandle file{::openat(directory_.get(), name.c_str(), kOpenFlags | O_CREAT | O_EXCL, 0600)};
    if (!file && errno == EEXIST) continue;
    if (!file) break;
    // The lock can only fail where a file system has none; then nobody else heeds it either.
    ::flock(file.get(), LOCK_EX | LOCK_NB);
    file_bytes_ = 0;
    file_ = std::move(file);
    return true;
  }
  directory_ = FileHandle{};  // it may have been moved away: look for it again
  return false;
}

std::vector<RecordFiles::Entry> RecordFiles::list() const {
  std::vector<Entry> entries;
  const int copy = ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return entries;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream{::fdopendir(copy), ::closedir};
  if (!stream) {
    ::close(copy);
    return entries;
  }
  while (const dirent* entry = ::readdir(stream.get())) {
    if (!is_record_file_name(entry->d_name)) continue;
    struct stat state {};
    if (::fstatat(directory_.get(), entry->d_name, &state, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(state.st_mode)) {
      continue;
    }
    entries.push_back({entry->d_name, static_cast<std::uint64_t>(state.st_size)});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

// Makes room for one more file at its full size.
void RecordFiles::remove_oldest(std::vector<Entry> entries, std::size_t next_line_bytes) const {
  std::uint64_t total = std::max(rotate_bytes_, next_line_bytes);
  for (const Entry& entry : entries) total += entry.bytes;
  for (const Entry& entry : entries) {
    if (total <= max_total_bytes_) return;
    if (::unlinkat(directory_.get(), entry.name.c_str(), 0) == 0) total -= entry.bytes;
  }
}

}  // namespace understudy::metrics
