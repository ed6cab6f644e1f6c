#pragma once

#include <string>
#include <utility>
#include <vector>

#include "orchestrator/cccf/diff.h"
#include "orchestrator/cccf/document.h"

namespace shoal {

enum class DockerVerb { run, start, stop, kill, rm };

/// One call of Docker's command line.
struct DockerInstruction {
  std::string id;
  DockerVerb verb = DockerVerb::run;
  std::string host;               // As `docker -H` takes it; empty: this host's engine.
  std::vector<std::string> argv;  // `docker` and its arguments, for exec: no shell is meant.
};

struct InstructionOptions {
  bool detach = true;                // `run -d`
  std::vector<std::string> exclude;  // Fields that become no flag of `run`.
  /// `--NAME=VALUE` for every `run`, behind the container's own values of that flag; an empty value
  /// is the bare flag.
  std::vector<std::pair<std::string, std::string>> flags;
};

/// What to call for each container, as cccf-docker-instructions 3.1.1 puts it, in the order of
/// dependencies: who is depended on is started first and stopped last. Variables are resolved here.
/// What cannot be called is an error in `problems`: of the check `variable`, `dependency-cycle`, or
/// `flag` (a value that no flag can carry). Then the result is of no use.
[[nodiscard]] std::vector<DockerInstruction> docker_instructions(DockerVerb verb,
                                                                 const CccfDocument& document,
                                                                 const InstructionOptions& options,
                                                                 CccfDiagnostics& problems);

/// From what is there to what is wanted: `stop` and `rm` of what is to be removed, then `run` of
/// what is to be added.
[[nodiscard]] std::vector<DockerInstruction> docker_instructions(const CccfDifference& difference,
                                                                 const InstructionOptions& options,
                                                                 CccfDiagnostics& problems);

[[nodiscard]] std::string_view to_string(DockerVerb verb);

}  // namespace shoal
