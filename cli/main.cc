#include <iostream>
#include <string_view>

#include <unistd.h>

#include "cli/command_line.h"

namespace {

shoal::Environment read_environment() {
  shoal::Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace

int main(int argc, char** argv) {
  shoal::Terminal terminal{std::cout, std::cerr, read_environment(), isatty(STDOUT_FILENO) == 1,
                           isatty(STDERR_FILENO) == 1, &std::cin};
  // argc is 0 where a program was started without even its name.
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return static_cast<int>(shoal::run_command_line(arguments, terminal));
}
