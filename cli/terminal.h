#pragma once

#include <iosfwd>
#include <map>
#include <string>

namespace shoal {

/// The environment of a process, as a value that a test can make up.
using Environment = std::map<std::string, std::string>;

/// Where a command writes (what was asked for on `out`, everything else on `err`) and reads.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  Environment environment;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  std::istream* in = nullptr;  // Standard input; null where there is none.
};

/// What a command ends with; the same for all commands (`shoal --help` lists them).
enum class ExitCode {
  ok = 0,
  failed = 1,
  usage = 2,        // A flag, an argument, a key or a value is wrong.
  not_found = 3,    // No such image, layer, repository or node.
  unreachable = 4,  // No node answers at that address.
  bad_content = 5,  // Stored content does not match its digest.
};

}  // namespace shoal
