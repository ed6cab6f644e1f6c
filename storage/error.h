#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace shoal {

/// What went wrong, in terms a caller can act on. One list for the whole program.
/// A name that has an OCI counterpart keeps it; registry/error_response.cc alone maps it to HTTP.
enum class Errc {
  // The request is wrong.
  digest_invalid,    // Not `algorithm:hex` of a known algorithm, or content that does not match.
  name_invalid,      // A repository name outside the specification's grammar.
  tag_invalid,       // A tag outside the specification's grammar.
  manifest_invalid,  // Not JSON, not a manifest, or in conflict with its media type.
  manifest_blob_unknown,  // The manifest names content that is not in the repository.
  size_invalid,           // A body whose length differs from what was announced.
  range_invalid,          // A range or an upload offset that cannot be satisfied.
  page_invalid,           // A paging parameter that is not a number.
  too_large,              // Above a configured limit.
  too_many,               // Too many requests, connections or parameters at once.
  unsupported,            // Understood, and refused by design or configuration.
  bad_request,            // Not what the protocol allows here.
  usage,  // A flag, a key or a value that the command line or configuration refuses.
  // It is not here.
  blob_unknown,
  manifest_unknown,
  name_unknown,
  upload_unknown,
  member_unknown,    // No such node, token or authority in the cluster.
  events_compacted,  // The change feed no longer reaches back that far.
  // It cannot be done now.
  upload_busy,      // Another request is writing to this upload session.
  would_block,      // Wait::no was asked for, and the answer needs the disk.
  unavailable,      // Shutting down, or a source that cannot be reached; a retry may succeed.
  timed_out,        // No progress within the timeout.
  denied,           // An identity, a token or a password was refused.
  conflict,         // What a change depends on has changed meanwhile.
  lease_lost,       // The lease ended, and what was held under it is gone.
  outcome_unknown,  // The connection broke, and nobody can tell whether the change was made.
  // The machine failed us.
  disk_full,
  quota_exceeded,
  corrupt,  // Stored content no longer matches its digest.
  io,       // Disk, database or network failed; a retry may succeed.
};

/// A failure and the sentence that a log line or an HTTP body should carry:
/// what was wrong, with which object, and where it helps, what to do.
struct Error {
  Errc code;
  std::string message;
};

/// A value, or the reason there is none. Functions returning one are [[nodiscard]].
template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace shoal
