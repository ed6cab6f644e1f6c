#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/digest.h"
#include "storage/error.h"

namespace shoal {

/// One line of what an engine says while it pulls; see parse_pull_line().
struct PullLine {
  std::string id;  // The first 12 hex digits of a layer's digest (of podman, also the config's);
                   // empty: of the whole image.
  std::string status;  // `Downloading`, `Pull complete`, ...
  std::uint64_t current = 0;
  std::uint64_t total = 0;  // 0: not known.
  std::string error;        // Not empty: the pull failed, whatever HTTP's status was.
};

/// Nothing for what is not a JSON object: both engines may add lines of other kinds.
[[nodiscard]] std::optional<PullLine> parse_pull_line(std::string_view line);

/// What a pull has come to. Every figure only grows.
struct PullState {
  double share = 0;              // Of the work, 0 to 1: 70 % to download, 30 % to unpack, by bytes;
                                 // 1 only once the engine holds the image.
  std::uint64_t bytes_done = 0;  // Downloaded, or not needed because the layer was there.
  std::uint64_t bytes_total = 0;  // Of the layers whose size is known.
  std::size_t layers_done = 0;    // Unpacked, or there already.
  std::size_t layers = 0;         // Known so far.

  bool operator==(const PullState&) const = default;
};

/// Makes one figure out of an engine's lines about many layers. Docker counts the bytes of each
/// layer, and begins again when it retries; podman says of most layers only that they begin and
/// end. Knowing the sizes beforehand (our registry holds the manifest) makes the figure exact in
/// the first case and useful in the second. Not thread-safe.
class PullProgress {
 public:
  struct Layer {
    Digest digest;
    std::uint64_t bytes;
  };
  /// `layers` as the manifest has them; empty if it is not known.
  explicit PullProgress(const std::vector<Layer>& layers = {});

  void add(const PullLine& line);
  /// The engine was seen to hold the image.
  void finish();

  [[nodiscard]] const PullState& state() const { return state_; }
  /// Why the engine says it failed; empty if it did not.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Progress {
    std::uint64_t bytes = 0;  // 0: not known.
    double downloaded = 0;    // 0 to 1.
    double unpacked = 0;
    bool counted = false;  // Podman also names the config: that is no layer.
  };

  void update();

  const bool sizes_known_;
  std::map<std::string, Progress> layers_;
  PullState state_;
  std::string error_;
};

}  // namespace shoal
