#pragma once
// One line of standard input: a verb and key=value pairs. A key that the verb does not read is an
// error, so that a typo cannot measure something else.

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace understudy::bench {

class Command {
 public:
  explicit Command(std::string_view line);  // throws std::invalid_argument

  const std::string& verb() const { return verb_; }
  double number(const std::string& key, double otherwise) const;
  std::size_t count(const std::string& key, std::size_t otherwise) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  void refuse_unread() const;  // throws std::invalid_argument

 private:
  std::string verb_;
  std::map<std::string, std::string> values_;
  mutable std::set<std::string> read_;
};

}  // namespace understudy::bench
