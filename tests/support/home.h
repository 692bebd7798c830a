#pragma once
// A home directory with the files and variables of a user. Owned by one test.

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/credentials.h"
#include "tests/support/scratch_directory.h"

namespace understudy::testing_support {

class Home {
 public:
  Home() {
    std::filesystem::create_directory(directory_ / ".aws");
    variables_["HOME"] = path().string();
  }

  Home& file(const std::string& name, std::string_view text) {
    std::ofstream(directory_ / name, std::ios::binary) << text;
    return *this;
  }
  Home& config(std::string_view text) { return file(".aws/config", text); }
  Home& credentials(std::string_view text) { return file(".aws/credentials", text); }
  Home& set(const std::string& name, const std::string& value) {
    variables_[name] = value;
    return *this;
  }
  const std::filesystem::path& path() const { return directory_.path(); }

  proxy::Environment environment() const {
    return [this](std::string_view name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
  }

 private:
  ScratchDirectory directory_;
  std::map<std::string, std::string, std::less<>> variables_;
};

}  // namespace understudy::testing_support
