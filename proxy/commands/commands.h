#pragma once
// The commands of `understudy`. Each returns the exit status and writes to the streams handed in.

#include <iosfwd>
#include <span>
#include <string_view>

#include "proxy/commands/command_line.h"

namespace understudy::proxy {

Command serve_command();
Command check_command();
Command verdict_command();
Command explain_command();
// One order of routing::RolloutOrder each.
Command rollback_command();
Command pause_command();
Command resume_command();
Command promote_command();
Command lifecycle_command();

// Everything behind the program's name.
int run_command_line(std::span<const std::string_view> arguments, std::ostream& out,
                     std::ostream& err);

}  // namespace understudy::proxy
