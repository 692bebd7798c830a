#pragma once
// Who a proxy is in its fleet. The name lives where the evidence lives, in the state directory, so
// that a restart goes on counting under it; without a directory each process is somebody else, and
// what it counted stays under the name that it had.

#include <filesystem>
#include <string>
#include <string_view>

namespace understudy::proxy {

// 16 hex digits: the stored ones, or new ones, stored. What cannot be stored is logged: then a
// restart has another name, under which its evidence would count twice while the old one is known.
std::string replica_id(const std::filesystem::path& state_directory);

bool is_replica_id(std::string_view text) noexcept;

}  // namespace understudy::proxy
