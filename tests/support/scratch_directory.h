#pragma once
// A directory of its own that goes with the object.

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace understudy::testing_support {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "understudy-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), name);
    }
    path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

  // Replaces the file as careful programs do: whole, by a rename. Returns its path.
  std::string write(const std::string& name, const std::string& text) const {
    const auto file = path_ / name;
    const auto beside = file.parent_path() / ("." + file.filename().string() + ".new");
    std::ofstream(beside, std::ios::binary) << text;
    std::filesystem::rename(beside, file);
    return file.string();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace understudy::testing_support
