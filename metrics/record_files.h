#pragma once
// The directory of comparison records: which files are ours, how one is begun, continued and thrown
// away. Used on a RecordWriter's thread. Failures are reported as false; nothing is thrown for a
// disk that fails.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::metrics {

// A file descriptor that closes itself.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int fd) noexcept : fd_(fd) {}
  FileHandle(FileHandle&& other) noexcept;
  FileHandle& operator=(FileHandle&& other) noexcept;
  ~FileHandle();
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// "understudy-records-20261121T004632Z-000000.jsonl": names sort by age, and nothing else is ever
// touched.
bool is_record_file_name(std::string_view name) noexcept;

class RecordFiles {
 public:
  RecordFiles(std::string directory, std::size_t rotate_bytes, std::size_t max_total_bytes,
              std::size_t keep_free_bytes);

  // Appends whole, or not at all: what was written of a line that failed is taken back.
  bool append(std::string_view line);

 private:
  struct Entry {
    std::string name;
    std::uint64_t bytes = 0;
  };

  bool open_directory();
  bool open_file(std::size_t next_line_bytes);
  bool continue_newest(const std::vector<Entry>& entries, std::size_t next_line_bytes);
  bool begin_new();
  std::vector<Entry> list() const;  // oldest first
  void remove_oldest(std::vector<Entry> entries, std::size_t next_line_bytes) const;
  bool has_room() const;

  const std::string path_;
  const std::size_t max_total_bytes_;
  const std::size_t rotate_bytes_;
  const std::size_t keep_free_bytes_;
  FileHandle directory_, file_;
  std::uint64_t file_bytes_ = 0;
};

}  // namespace understudy::metrics
