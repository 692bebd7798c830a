#pragma once
// Small files that survive a restart: written whole under another name and renamed, so that a
// reader or a crash never meets half of one. One thread for each file.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::metrics {

struct StateText {
  std::optional<std::string> text;  // none: there is no such file, or it has a problem
  std::string problem;
};
StateText read_state_file(const std::filesystem::path& path, std::uintmax_t max_bytes);

// Makes the directory where it is missing. Readable by the owner alone. Empty on success, else what
// went wrong.
std::string write_state_file(const std::filesystem::path& path, std::string_view text);

// Renames it to PATH.WHY, or PATH.WHY.2 and so on where that is taken, so that it is kept and
// another can begin. False where there is none, or no name is left among a thousand.
bool set_state_file_aside(const std::filesystem::path& path, std::string_view why);
// Keeps it as PATH.WHY, too; PATH stays what it is until it is written anew. False where there is
// none.
bool keep_state_file_as(const std::filesystem::path& path, std::string_view why);

// Where state files are kept by those who need not know when they are written. Any thread.
class StateStore {
 public:
  virtual ~StateStore() = default;
  // As above. What was written last is what is read.
  virtual StateText read(const std::filesystem::path& path, std::uintmax_t max_bytes) = 0;
  // Empty: it is written, or is going to be.
  virtual std::string write(const std::filesystem::path& path, std::string text) = 0;
  virtual bool set_aside(const std::filesystem::path& path, std::string_view why) = 0;
};
// Does it on the disk at once, on the thread that asks.
StateStore& direct_state_store() noexcept;

}  // namespace understudy::metrics
