#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/cccf/document.h"

namespace shoal {

/// What `docker inspect` says of containers and of images.
struct DockerInspection {
  std::vector<JsonValue> containers;
  std::vector<JsonValue> images;
};

/// What one inspection is at most; `docker inspect` of a container has some 10 KiB.
inline constexpr std::size_t kInspectionBytesMax = 16 << 20;

/// Adds what `text` holds: one or several JSON values after each other, each an object of
/// `docker inspect` or an array of them, containers and images in any order.
/// Fails with bad_request for what is neither.
[[nodiscard]] Result<void> add_inspection(std::string_view text, DockerInspection& inspection);

/// The document that the containers could have been started from: what their images give them
/// (command, environment, labels, ports ...) and what is an engine's default is left out, so that
/// diff_cccf() of it and of the document that instructions() started is empty. What the document
/// itself had repeated of its image cannot be told from it. Flags that cccf has no field for are
/// fields by their own name (`restart`, `cap-add`); what its patterns do not hold, such as an
/// address before a port, is under the flag's other name (`publish`, `v`, `e`).
///
/// Of a container that shoal itself created its own labels (`shoal.`) stay out, and the image is
/// what the user wrote, which one of them holds.
///
/// A container whose image is not among the inspected is a warning of the check `no-image`: it
/// keeps all of its image's defaults. `host`, if not empty, becomes each container's `host`.
[[nodiscard]] CccfDocument from_docker(const DockerInspection& inspection, std::string_view host,
                                       CccfDiagnostics& problems);

}  // namespace shoal
