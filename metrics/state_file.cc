#include "metrics/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

namespace understudy::metrics {
namespace {

std::string error_text(std::string_view doing, const std::filesystem::path& path) {
  return std::string(doing) + " " + path.string() + ": " +
         std::error_code(errno, std::system_category()).message();
}

// Closes what it opened.
class File {
 public:
  explicit File(const std::filesystem::path& path)
      : descriptor_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                         S_IRUSR | S_IWUSR)) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const noexcept { return descriptor_ >= 0; }
  bool write_all(std::string_view bytes) noexcept {
    while (!bytes.empty()) {
      const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return fsync(descriptor_) == 0;
  }

 private:
  int descriptor_;
};

}  // namespace

StateText read_state_file(const std::filesystem::path& path, std::uintmax_t max_bytes) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) return {};
  if (error) return {std::nullopt, path.string() + ": " + error.message()};
  if (size > max_bytes)
    return {std::nullopt, path.string() + ": it is larger than " + std::to_string(max_bytes)};
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return {std::move(text).str(), {}};
}

std::string write_state_file(const std::filesystem::path& path, std::string_view text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return "make " + path.parent_path().string() + ": " + error.message();
  const std::filesystem::path fresh = path.string() + ".new";
  {
    File file(fresh);
    if (!file.is_open()) return error_text("open", fresh);
    if (!file.write_all(text)) return error_text("write", fresh);
  }
  std::filesystem::rename(fresh, path, error);
  if (error) return "rename " + fresh.string() + ": " + error.message();
  // Else the new name may be forgotten when the power goes, and with it what was promised to last.
  const int directory = open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    fsync(directory);
    close(directory);
  }
  return {};
}

bool set_state_file_aside(const std::filesystem::path& path, std::string_view why) {
  constexpr int kMostNames = 1'000;
  const std::string first = path.string() + "." + std::string(why);
  for (int n = 1; n <= kMostNames; ++n) {
    const std::string name = n == 1 ? first : first + "." + std::to_string(n);
    std::error_code error;
    if (std::filesystem::exists(std::filesystem::symlink_status(name, error))) continue;
    std::filesystem::rename(path, name, error);
    return !error;
  }
  return false;
}

namespace {

class DirectStore final : public StateStore {
 public:
  StateText read(const std::filesystem::path& path, std::uintmax_t max_bytes) override {
    return read_state_file(path, max_bytes);
  }
  std::string write(const std::filesystem::path& path, std::string text) override {
    return write_state_file(path, text);
  }
  bool set_aside(const std::filesystem::path& path, std::string_view why) override {
    return set_state_file_aside(path, why);
  }
};

}  // namespace

StateStore& direct_state_store() noexcept {
  static DirectStore store;
  return store;
}

bool keep_state_file_as(const std::filesystem::path& path, std::string_view why) {
  const std::filesystem::path kept = path.string() + "." + std::string(why);
  std::error_code error;
  std::filesystem::remove(kept, error);
  std::filesystem::create_hard_link(path, kept, error);
  return !error || set_state_file_aside(path, why);  // not every file system has hard links
}

}  // namespace understudy::metrics
