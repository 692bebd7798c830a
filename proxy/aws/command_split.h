#pragma once
// Splits a command line as the SDKs do for credential_process: no shell is involved. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "proxy/error.h"

namespace understudy::proxy::aws {

// Words between white space. '...' is taken as it is; "..." too but for \" and \\; elsewhere a
// backslash takes the next character as it is (POSIX rules, like Python's shlex). The error never
// quotes the command, which may hold secrets.
Result<std::vector<std::string>> split_command(std::string_view command);

}  // namespace understudy::proxy::aws
