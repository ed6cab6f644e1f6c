#pragma once

#include <string>
#include <string_view>

namespace shoal {

/// What a flag of `docker run` takes, where it matters whether two spellings mean the same.
enum class FlagKind {
  other,    // Not a flag that this table knows: compared as it is.
  text,     // One value.
  bytes,    // One amount of memory.
  span,     // One span of time.
  amount,   // One number.
  on,       // `true`, or not there.
  list,     // Several values, in order.
  set,      // Several values, in any order.
  pairs,    // Several `name=value`, in any order; of a name given twice the last counts.
  ports,    // Several mappings of ports.
  volumes,  // Several volumes.
  expose,   // Several ports of the container.
};

struct DockerFlag {
  FlagKind kind = FlagKind::other;
  /// The field's one name: `ports` for `p` and `publish`.
  std::string_view field;
  /// A value that is the same as none; empty where there is no such.
  std::string_view none;
};

/// The flag that a field of a document stands for. Unknown fields are `other`, under their own
/// name.
[[nodiscard]] DockerFlag docker_flag(std::string_view field);

/// Whether a field says where, how many or how watched, not what runs: it is no flag of
/// `docker run`, and containers that differ in it need not be replaced by each other.
[[nodiscard]] bool is_about_placement(std::string_view field);

}  // namespace shoal
