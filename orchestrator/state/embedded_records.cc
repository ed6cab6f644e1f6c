#include "orchestrator/state/embedded_records.h"

#include "orchestrator/state/etcd_json.h"
#include "storage/codec.h"

namespace shoal {
namespace {

void write_entry(RecordWriter& writer, const VersionedEntry& versioned) {
  const auto& entry = versioned.entry;
  writer.number(entry.created).number(entry.modified).number(versioned.version);
  writer.number(entry.lease).text(entry.value);
}

VersionedEntry read_entry(RecordReader& reader, std::string_view key) {
  VersionedEntry versioned;
  auto& entry = versioned.entry;
  entry.key = key;
  entry.created = reader.number();
  entry.modified = reader.number();
  versioned.version = reader.number();
  entry.lease = reader.number();
  entry.value = reader.text();
  return versioned;
}

std::size_t bytes_of(const std::optional<VersionedEntry>& entry) {
  return entry ? entry->entry.value.size() : 0;
}

}  // namespace

KeyRange KeyRange::one(std::string_view key) { return {std::string(key), std::string(key) + '\0'}; }

KeyRange KeyRange::prefix(std::string_view prefix) {
  auto end = range_end(prefix);
  if (end == std::string_view("\0", 1)) return {std::string(prefix), std::nullopt};
  return {std::string(prefix), std::move(end)};
}

std::size_t RecordedCommit::bytes() const {
  std::size_t sum = 0;
  for (const auto& change : changes) {
    sum += 64 + change.key.size() + bytes_of(change.before) + bytes_of(change.after);
  }
  return sum;
}

std::string encode_entry(const VersionedEntry& entry) {
  RecordWriter writer;
  write_entry(writer, entry);
  return writer.take();
}

std::string encode_change(const RecordedChange& change) {
  RecordWriter writer;
  writer.text(change.key);
  for (const auto* side : {&change.before, &change.after}) {
    writer.number(side->has_value() ? 1 : 0);
    if (*side) write_entry(writer, **side);
  }
  return writer.take();
}

Result<VersionedEntry> decode_entry(std::string_view key, std::string_view record) {
  RecordReader reader(record);
  auto entry = read_entry(reader, key);
  if (!reader.good()) return fail(Errc::corrupt, "the state holds a damaged entry");
  return entry;
}

Result<RecordedChange> decode_change(std::string_view record) {
  RecordReader reader(record);
  RecordedChange change;
  change.key = reader.text();
  for (auto* side : {&change.before, &change.after}) {
    if (reader.number() == 1) *side = read_entry(reader, change.key);
  }
  if (!reader.good()) return fail(Errc::corrupt, "the state's history holds a damaged change");
  return change;
}

}  // namespace shoal
