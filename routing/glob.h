#pragma once
// Patterns in which '*' stands for any run of bytes and everything else for itself. Compiled once;
// matching allocates nothing and takes at most size(text) * size(pattern) steps.

#include <string>
#include <string_view>
#include <vector>

namespace understudy::routing {

class Glob {
 public:
  explicit Glob(std::string_view pattern);
  bool matches(std::string_view text) const noexcept;

 private:
  std::vector<std::string> pieces_;  // what stands between the stars; one piece: no star
};

}  // namespace understudy::routing
