#pragma once
// A home directory with the files and variables of a user. Owned by one test.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "proxy/credentials.h"

namespace understudy::testing_support {

class Home {
 public:
  Home() {
    std::string name = (std::filesystem::temp_directory_path() / "understudy-home-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
    std::filesystem::create_directory(path_ / ".aws");
    variables_["HOME"] = path_.string();
  }
  ~Home() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  Home& file(const std::string& name, std::string_view text) {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return *this;
  }
  Home& config(std::string_view text) { return file(".aws/config", text); }
  Home& credentials(std::string_view text) { return file(".aws/credentials", text); }
  Home& set(const std::string& name, const std::string& value) {
    variables_[name] = value;
    return *this;
  }
  const std::filesystem::path& path() const { return path_; }

  proxy::Environment environment() const {
    return [this](std::string_view name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
  }

 private:
  std::filesystem::path path_;
  std::map<std::string, std::string, std::less<>> variables_;
};

}  // namespace understudy::testing_support
