#include "bench/peer/command.h"

#include <sstream>
#include <stdexcept>

namespace understudy::bench {

Command::Command(std::string_view line) {
  std::istringstream words{std::string(line)};
  words >> verb_;
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) throw std::invalid_argument("not key=value: " + word);
    values_[word.substr(0, equals)] = word.substr(equals + 1);
  }
}

std::string Command::text(const std::string& key, const std::string& otherwise) const {
  read_.insert(key);
  const auto found = values_.find(key);
  return found == values_.end() ? otherwise : found->second;
}

double Command::number(const std::string& key, double otherwise) const {
  const std::string value = text(key, "");
  if (value.empty()) return otherwise;
  std::size_t end = 0;
  const double number = std::stod(value, &end);
  if (end != value.size() || !(number >= 0) || number > 1e12)
    throw std::invalid_argument(key + "=" + value);
  return number;
}

std::size_t Command::count(const std::string& key, std::size_t otherwise) const {
  return static_cast<std::size_t>(number(key, static_cast<double>(otherwise)));
}

void Command::refuse_unread() const {
  for (const auto& [key, value] : values_) {
    if (!read_.contains(key)) throw std::invalid_argument(verb_ + " knows no " + key);
  }
}

}  // namespace understudy::bench
