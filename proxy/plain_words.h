#pragma once
// What a JSON library says of a broken file, for people.

#include <string>

namespace understudy::proxy {

// Without the name and number of its exception: "[json.exception.parse_error.101] ".
inline std::string plain_words(std::string what) {
  const std::size_t begin = what.find("[json.exception.");
  const std::size_t end = begin == what.npos ? what.npos : what.find("] ", begin);
  if (end != what.npos) what.erase(begin, end + 2 - begin);
  return what;
}

}  // namespace understudy::proxy
