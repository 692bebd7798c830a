#include "metrics/evidence/evidence_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

#include "metrics/evidence/evidence_json.h"

namespace understudy::metrics {
namespace {

constexpr std::uintmax_t kMaxBytes = 64u << 20;

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

std::filesystem::path EvidenceFiles::path_of(std::string_view route) const {
  return directory_ / ("evidence-" + std::string(route) + ".json");
}

EvidenceFiles::Loaded EvidenceFiles::load(std::string_view route) {
  if (directory_.empty()) return {};
  const std::filesystem::path path = path_of(route);
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) return {};
  if (error) return {std::nullopt, path.string() + ": " + error.message()};
  std::string problem = "it is larger than any evidence";
  if (size <= kMaxBytes) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    auto read = evidence_from_json(text.view());
    if (auto* evidence = std::get_if<RouteEvidence>(&read)) return {std::move(*evidence), {}};
    problem = std::get<EvidenceProblem>(read).what;
  }
  set_aside(route, "damaged");
  return {std::nullopt, path.string() + " was set aside as .damaged: " + problem};
}

bool EvidenceFiles::set_aside(std::string_view route, std::string_view why) {
  if (directory_.empty()) return false;
  const std::filesystem::path path = path_of(route);
  std::error_code error;
  std::filesystem::rename(path, path.string() + "." + std::string(why), error);
  return !error;
}

std::string EvidenceFiles::save(std::string_view route, const RouteEvidence& evidence) {
  if (directory_.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) return "make " + directory_.string() + ": " + error.message();
  const std::filesystem::path path = path_of(route);
  const std::filesystem::path fresh = path.string() + ".new";
  {
    File file(fresh);
    if (!file.is_open()) return error_text("open", fresh);
    if (!file.write_all(to_json_text(evidence))) return error_text("write", fresh);
  }
  std::filesystem::rename(fresh, path, error);
  return error ? "rename " + fresh.string() + ": " + error.message() : std::string{};
}

}  // namespace understudy::metrics
