#include "proxy/commands/commands.h"

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "proxy/version.h"
#include "routing/config_section.h"

namespace understudy::proxy {
namespace {

std::vector<Command> all_commands() {
  return {serve_command(),   check_command(),    verdict_command(),
          explain_command(), rollback_command(), pause_command(),
          resume_command(),  promote_command(),  lifecycle_command()};
}

std::string general_help() {
  std::string text =
      "Understudy stands in front of Amazon Bedrock: your clients get the primary model's answers "
      "byte for byte, a share\n"
      "of their requests is copied to a candidate model, and the figures of both stand side by "
      "side.\n\n"
      "Usage: understudy COMMAND [options]\n\nCommands:\n";
  for (const Command& command : all_commands()) {
    text += "  " + std::string(command.name) + std::string(10 - command.name.size(), ' ') +
            std::string(command.summary) + "\n";
  }
  text +=
      "  help      explain a command\n\n"
      "`understudy help COMMAND` or `understudy COMMAND --help` tells more; `understudy --version` "
      "prints the version.\n\n"
      "Exit status: 0 good, 1 a negative answer, 2 wrong usage, 3 not known yet, 78 bad "
      "config.\n\n"
      "Start with:\n"
      "  understudy check --config config.yaml\n"
      "  understudy serve --config config.yaml\n"
      "and point the endpoint of your AWS SDK (AWS_ENDPOINT_URL_BEDROCK_RUNTIME) at "
      "http://127.0.0.1:8080.\n";
  return text;
}

int usage_error(std::ostream& err, const std::string& what, const std::string& help) {
  err << "understudy: " << what << "\nTry: " << help << "\n";
  return kExitUsage;
}

int unknown_command(std::ostream& err, std::string_view name) {
  std::vector<std::string> names{"help"};
  for (const Command& command : all_commands()) names.emplace_back(command.name);
  return usage_error(err, "unknown command " + std::string(name) + routing::suggestion(name, names),
                     "understudy --help");
}

int run(const Command& command, std::span<const std::string_view> arguments, std::ostream& out,
        std::ostream& err) {
  const auto parsed = parse_options(command.options, arguments);
  if (const auto* problem = std::get_if<UsageProblem>(&parsed)) {
    const std::string name(command.name);
    return usage_error(err, name + ": " + problem->what, "understudy help " + name);
  }
  const Options& options = std::get<Options>(parsed);
  if (!options.help) return command.run(options, out, err);
  out << help_text(command);
  return kExitGood;
}

int help(std::span<const std::string_view> arguments, std::ostream& out, std::ostream& err) {
  if (arguments.empty() || arguments.front() == "--help" || arguments.front() == "-h") {
    out << general_help();
    return kExitGood;
  }
  for (const Command& command : all_commands()) {
    if (command.name != arguments.front()) continue;
    out << help_text(command);
    return kExitGood;
  }
  return unknown_command(err, arguments.front());
}

}  // namespace

int run_command_line(std::span<const std::string_view> arguments, std::ostream& out,
                     std::ostream& err) {
  if (arguments.empty()) {
    err << general_help();
    return kExitUsage;
  }
  const std::string_view name = arguments.front();
  const auto rest = arguments.subspan(1);
  if (name == "--help" || name == "-h") return help({}, out, err);
  if (name == "help") return help(rest, out, err);
  if (name == "--version") {
    out << "understudy " << kVersion << "\n";
    return kExitGood;
  }
  for (const Command& command : all_commands()) {
    if (command.name == name) return run(command, rest, out, err);
  }
  return unknown_command(err, name);
}

}  // namespace understudy::proxy
