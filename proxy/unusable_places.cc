#include "proxy/unusable_places.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "proxy/read_file.h"

namespace understudy::proxy {
namespace {

namespace fs = std::filesystem;

// Neither takes a new file, from root neither, though its permissions would.
bool is_kernels_own(const fs::path& directory) {
  struct statfs facts {};
  return ::statfs(directory.c_str(), &facts) == 0 &&
         (facts.f_type == PROC_SUPER_MAGIC || facts.f_type == SYSFS_MAGIC);
}

// The directory itself, or the one in which it would be made.
fs::path nearest_that_exists(fs::path directory) {
  std::error_code ignored;
  while (!fs::exists(directory, ignored) && directory.has_relative_path())
    directory = directory.parent_path();
  return directory;
}

void look_at_directory(const std::string& key, const std::string& directory,
                       std::vector<std::string>& problems) {
  if (directory.empty()) return;
  const fs::path there = nearest_that_exists(directory);
  const auto tell = [&](const std::string& what) {
    problems.push_back(key + ": nothing can be written to " + directory + ": " + there.string() +
                       what);
  };
  std::error_code ignored;
  if (!fs::is_directory(there, ignored)) return tell(" is no directory");
  if (is_kernels_own(there)) return tell(" is the kernel's own");
  if (::access(there.c_str(), W_OK | X_OK) != 0)
    tell(std::string(" cannot be written here: ") + std::strerror(errno));
}

void look_at_secret(const routing::Config& config, std::vector<std::string>& problems) {
  constexpr std::size_t kMaxSecretBytes = 4096;
  const auto& webhook = config.events.webhook;
  if (!webhook || webhook->secret_file.empty()) return;
  auto secret = read_file(webhook->secret_file, kMaxSecretBytes);
  if (secret) trim_end(*secret);
  if (!secret) {
    problems.push_back("events.webhook.secret_file: " + webhook->secret_file +
                       " cannot be read, or is no secret: no event is posted");
  } else if (secret->empty()) {
    problems.push_back("events.webhook.secret_file: " + webhook->secret_file +
                       " is empty: no event is posted");
  }
}

}  // namespace

std::vector<std::string> unusable_places(const routing::Config& config) {
  std::vector<std::string> problems;
  look_at_directory("records.directory", config.records.directory, problems);
  look_at_directory("state.directory", config.state_directory, problems);
  look_at_secret(config, problems);
  return problems;
}

}  // namespace understudy::proxy
