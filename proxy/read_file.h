#pragma once
// Small regular files as a whole. Any thread.

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace understudy::proxy {

// None where the file is missing, unreadable, larger than `max_bytes` or no regular file (a pipe
// could hang the reader).
std::optional<std::string> read_file(const std::filesystem::path& file, std::size_t max_bytes);

// Without white space at its end: editors and `echo` end a secret's file with a line.
void trim_end(std::string& text);

}  // namespace understudy::proxy
