#include "proxy/commands/command_line.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "routing/config_section.h"

namespace understudy::proxy {
namespace {

const Option* find(std::span<const Option> known, std::string_view name) {
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const Option& one) { return one.name == name; });
  return found == known.end() ? nullptr : &*found;
}

UsageProblem unknown_option(std::span<const Option> known, std::string_view name) {
  std::vector<std::string> names{"--help"};
  for (const Option& option : known) names.push_back("--" + std::string(option.name));
  const std::string written = "--" + std::string(name);
  return {"unknown option " + written + routing::suggestion(written, names)};
}

std::optional<UsageProblem> missing_option(std::span<const Option> known, const Options& options) {
  for (const Option& option : known) {
    if (option.required && !options.values.contains(option.name)) {
      const std::string value(option.value);
      return UsageProblem{
          (option.positional ? value : "--" + std::string(option.name) + " " + value) +
          " is missing"};
    }
  }
  return std::nullopt;
}

// The first that stands without its name and has no value yet.
const Option* next_positional(std::span<const Option> known, const Options& options) {
  const auto found = std::find_if(known.begin(), known.end(), [&](const Option& one) {
    return one.positional && !options.values.contains(one.name);
  });
  return found == known.end() ? nullptr : &*found;
}

}  // namespace

std::string option(const Options& options, std::string_view name) {
  const auto found = options.values.find(name);
  return found == options.values.end() ? std::string{} : found->second;
}

std::variant<Options, UsageProblem> parse_options(std::span<const Option> known,
                                                  std::span<const std::string_view> arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      options.help = true;
      return options;
    }
    if (!argument.starts_with("--")) {
      const Option* positional = next_positional(known, options);
      if (positional == nullptr)
        return UsageProblem{"unexpected argument " + std::string(argument)};
      options.values.emplace(positional->name, argument);
      continue;
    }
    argument.remove_prefix(2);
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const Option* option = find(known, name);
    if (option == nullptr) return unknown_option(known, name);
    const std::string shown = "--" + std::string(name);
    const bool has_value = equals != std::string_view::npos;
    std::string_view value = has_value ? argument.substr(equals + 1) : std::string_view();
    if (option->value.empty()) {
      if (has_value) return UsageProblem{shown + " takes no value"};
    } else if (!has_value) {
      if (++i == arguments.size())
        return UsageProblem{shown + " needs a value: " + shown + " " + std::string(option->value)};
      value = arguments[i];
    }
    const auto [known_value, is_new] = options.values.emplace(name, value);
    if (is_new) continue;
    if (!option->repeated) return UsageProblem{shown + " is given twice"};
    known_value->second.append(",").append(value);
  }
  if (auto missing = missing_option(known, options)) return std::move(*missing);
  return options;
}

std::string help_text(const Command& command) {
  std::string usage = "understudy " + std::string(command.name);
  std::vector<std::pair<std::string, std::string_view>> rows;
  for (const Option& option : command.options) {
    std::string shown = option.positional ? std::string() : "--" + std::string(option.name) + " ";
    shown += option.value;
    if (shown.ends_with(' ')) shown.pop_back();
    usage += option.required ? " " + shown : " [" + shown + "]";
    rows.emplace_back(shown, option.help);
  }
  rows.emplace_back("--help", "print this text");
  std::size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.first.size());

  std::string text =
      "Usage: " + usage + "\n\n" + std::string(command.description) + "\n\nOptions:\n";
  for (const auto& [shown, help] : rows) {
    text += "  " + shown + std::string(width - shown.size() + 3, ' ') + std::string(help) + "\n";
  }
  return text + "\nExample:\n" + std::string(command.example) + "\n";
}

}  // namespace understudy::proxy
