#pragma once
// What a config would change of another one, or of the one that a running proxy has in force.

#include <iosfwd>

#include "proxy/commands/command_line.h"
#include "routing/config.h"

namespace understudy::proxy {

// Compares with what the option `against` names, a file or the URL of an admin port, and prints
// every change and whether it takes a restart. Exit status: good, negative (a restart is needed),
// not known (the other one cannot be read).
int compare_with_running(const routing::Config& config, const Options& options, std::ostream& out,
                         std::ostream& err);

}  // namespace understudy::proxy
