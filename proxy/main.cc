#include <exception>
#include <iostream>
#include <string_view>
#include <vector>

#include "proxy/commands/commands.h"

int main(int argc, char** argv) {
  try {
    const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return understudy::proxy::run_command_line(arguments, std::cout, std::cerr);
  } catch (const std::exception& failure) {
    std::cerr << "understudy: " << failure.what() << "\n";
    return understudy::proxy::kExitNegative;
  }
}
