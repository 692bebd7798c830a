#include "proxy/aws/command_split.h"

#include <optional>
#include <utility>

#include "proxy/credentials.h"

namespace understudy::proxy::aws {

Result<std::vector<std::string>> split_command(std::string_view command) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<std::string> words;
  std::optional<std::string> word;  // begun by any character or quote: '' is a word
  char quote = '\0';
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (c == '\0') return credentials_error("the command holds a zero byte");
    const bool escapes = c == '\\' && quote != '\'';
    if (escapes) {
      if (++i == command.size()) return credentials_error("the command ends in a backslash");
      if (!word) word.emplace();
      // Inside double quotes a backslash stands for itself before most characters.
      if (quote == '"' && command[i] != '"' && command[i] != '\\') word->push_back('\\');
      word->push_back(command[i]);
    } else if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word->push_back(c);
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      if (!word) word.emplace();
    } else if (kBlanks.find(c) != std::string_view::npos) {
      if (word) words.push_back(std::move(*word));
      word.reset();
    } else {
      if (!word) word.emplace();
      word->push_back(c);
    }
  }
  if (quote != '\0') return credentials_error("the command has a quote without its end");
  if (word) words.push_back(std::move(*word));
  if (words.empty() || words.front().empty()) return credentials_error("the command is empty");
  return words;
}

}  // namespace understudy::proxy::aws
