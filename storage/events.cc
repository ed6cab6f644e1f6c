#include "storage/events.h"

#include "storage/core.h"
#include "storage/keys.h"

namespace shoal {

std::string_view to_string(EventKind kind) {
  switch (kind) {
    case EventKind::blob_push: return "blob_push";
    case EventKind::blob_mount: return "blob_mount";
    case EventKind::blob_delete: return "blob_delete";
    case EventKind::blob_drop: return "blob_drop";
    case EventKind::manifest_push: return "manifest_push";
    case EventKind::manifest_delete: return "manifest_delete";
    case EventKind::tag: return "tag";
    case EventKind::untag: return "untag";
    case EventKind::quarantine: return "quarantine";
  }
  return "unknown";
}

std::uint64_t Events::last() const { return core_.db->last_event(); }

Result<std::vector<Event>> Events::after(std::uint64_t since, std::size_t limit) const {
  const std::uint64_t durable = last();
  std::vector<Event> events;
  std::optional<Error> error;
  std::string start;
  append_big_endian(start, since + 1);
  const auto read = [&](std::string_view rest, std::string_view value) {
    const std::uint64_t sequence = read_big_endian(rest);
    if (sequence > durable || events.size() == limit) return false;
    if (events.empty() && sequence != since + 1) {
      error = Error{Errc::events_compacted, "events up to " + std::to_string(sequence - 1) +
                                                " are no longer kept: list what is here, then "
                                                "follow from " +
                                                std::to_string(sequence - 1)};
      return false;
    }
    auto event = decode_event(sequence, value);
    if (!event) {
      error = event.error();
      return false;
    }
    events.push_back(std::move(*event));
    return true;
  };
  const auto scanned = core_.db->scan("", start, read, Family::feed, true);
  if (!scanned) return tl::unexpected(scanned.error());
  if (error) return tl::unexpected(*error);
  return events;
}

std::shared_ptr<void> Events::subscribe(std::function<void()> wake) {
  return core_.db->subscribe(std::move(wake));
}

}  // namespace shoal
