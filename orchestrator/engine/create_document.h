#pragma once

#include <string>
#include <vector>

#include "orchestrator/cccf/diagnostic.h"
#include "orchestrator/cccf/document.h"
#include "orchestrator/engine/image_reference.h"
#include "orchestrator/engine/labels.h"

namespace shoal {

/// The body of `POST /containers/create` for a service: what `docker run` makes of the same fields
/// (docs/engine.md has the table), with three exceptions. The image is `image`, whatever the
/// service calls it. Without `restart` the engine restarts the container unless it was stopped, so
/// that it survives shoal. Fields about placement (`scale`, `host`, `health` ...) are not the
/// engine's.
///
/// A field that the engine has no place for, or whose value it cannot take, is left out and said:
/// an entry of `problems` of the check `engine-field` (a warning for what is unknown, an error for
/// what is known and wrong). The same fields give the same text, on every host.
[[nodiscard]] std::string create_document(const CccfItem& item, const ImageReference& image,
                                          CccfDiagnostics& problems);

/// The document with `labels` beside its own. Fails with bad_request if it is not such a document,
/// or has labels of shoal's itself.
[[nodiscard]] Result<std::string> with_labels(const std::string& document, const LabelMap& labels);

/// The image that a document is of. Fails with bad_request.
[[nodiscard]] Result<ImageReference> image_of(const std::string& document);

}  // namespace shoal
