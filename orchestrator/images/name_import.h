#pragma once

#include <filesystem>

#include "orchestrator/images/cluster_names.h"
#include "storage/store.h"

namespace shoal {

/// Gives the repositories and tags that this node had before it was a member to the cluster, once:
/// a mark in `folder` says that it was done. Tags that the cluster has already stay as they are
/// there; the log says so. What fails is tried again at the next start. May block.
void import_names(Store& store, ClusterNames& names, const std::filesystem::path& folder);

}  // namespace shoal
