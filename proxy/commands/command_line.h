#pragma once
// Options as people type them: `--name value`, `--name=value` and flags, all long. Values only, no
// globals.

#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace understudy::proxy {

// What the shell sees.
enum ExitStatus : int {
  kExitGood = 0,
  kExitNegative = 1,
  kExitUsage = 2,
  kExitNotKnown = 3,
  kExitBadConfig = 78
};

struct Option {
  std::string_view name;   // "config"
  std::string_view value;  // "FILE"; empty: a flag
  std::string_view help;
  bool required = false;
  bool positional = false;  // stands without its name: `rollback ROUTE`
  bool repeated = false;    // may be given several times; the values are joined by commas
};

struct Options {
  std::map<std::string, std::string, std::less<>> values;  // a flag's value is ""
  bool help = false;  // --help was asked for, nothing else is checked
};

// The value of an option; empty where it was not given.
std::string option(const Options& options, std::string_view name);

struct UsageProblem {
  std::string what;  // a sentence, with the nearest name where one is near
};

std::variant<Options, UsageProblem> parse_options(std::span<const Option> known,
                                                  std::span<const std::string_view> arguments);

struct Command {
  std::string_view name;
  std::string_view summary;      // one line, for the list of commands
  std::string_view description;  // paragraphs
  std::string_view example;      // lines to copy
  std::vector<Option> options;
  int (*run)(const Options& options, std::ostream& out, std::ostream& err);
};

std::string help_text(const Command& command);

}  // namespace understudy::proxy
