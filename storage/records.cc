#include "storage/records.h"

#include "storage/codec.h"
#include "storage/content.h"

namespace shoal {
namespace {

std::uint64_t seconds(UnixTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

UnixTime unix_time(std::uint64_t seconds) {
  return UnixTime(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

tl::unexpected<Error> damaged(const char* what) {
  return fail(Errc::corrupt, std::string("a stored ") + what + " record cannot be decoded");
}

}  // namespace

std::string ContentRecord::encode() const {
  return RecordWriter()
      .number(size)
      .number(stored_bytes)
      .number(content_id)
      .number(seconds(created))
      .text(inline_bytes)
      .text(places)
      .take();
}

Result<ContentRecord> ContentRecord::decode(std::string_view bytes) {
  RecordReader reader(bytes);
  ContentRecord record;
  record.size = reader.number();
  record.stored_bytes = reader.number();
  record.content_id = reader.number();
  record.created = unix_time(reader.number());
  record.inline_bytes = reader.text();
  if (reader.more()) record.places = reader.text();
  const bool whole = record.content_id != 0 || record.inline_bytes.size() == record.size;
  if (!reader.good() || !whole) return damaged("content");
  return record;
}

std::string TagRecord::encode() const {
  return RecordWriter().text(digest.key()).number(seconds(tagged)).take();
}

Result<TagRecord> TagRecord::decode(std::string_view bytes) {
  RecordReader reader(bytes);
  const auto digest = Digest::from_key(reader.text());
  const UnixTime tagged = unix_time(reader.number());
  if (!digest || !reader.good()) return damaged("tag");
  return TagRecord{*digest, tagged};
}

std::string ManifestRecord::encode(const ManifestFacts& facts, std::uint64_t size,
                                   UnixTime pushed) {
  RecordWriter writer;
  writer.text(facts.media_type).number(size).number(seconds(pushed));
  writer.text(facts.subject ? facts.subject->key() : std::string());
  writer.number(facts.references.size());
  for (const auto& reference : facts.references) writer.text(reference.digest.key());
  return writer.take();
}

Result<ManifestRecord> ManifestRecord::decode(std::string_view bytes) {
  RecordReader reader(bytes);
  ManifestRecord record;
  record.media_type = reader.text();
  record.size = reader.number();
  record.pushed = unix_time(reader.number());
  record.encoded = bytes;
  if (!reader.good()) return damaged("manifest");
  return record;
}

Result<ManifestRecord::Links> ManifestRecord::links() const {
  RecordReader reader(encoded);
  std::ignore = reader.text();
  std::ignore = reader.number();
  std::ignore = reader.number();
  Links links;
  const std::string_view subject = reader.text();
  if (!subject.empty()) {
    const auto digest = Digest::from_key(subject);
    if (!digest) return damaged("manifest");
    links.subject = *digest;
  }
  for (std::uint64_t left = reader.number(); left > 0; --left) {
    const auto digest = Digest::from_key(reader.text());
    if (!digest) return damaged("manifest");
    links.references.push_back(*digest);
  }
  if (!reader.good()) return damaged("manifest");
  return links;
}

std::string encode_referrer(const ManifestFacts& facts, std::uint64_t size) {
  return RecordWriter()
      .text(facts.media_type)
      .number(size)
      .text(facts.artifact_type)
      .text(facts.annotations)
      .take();
}

Result<Referrer> decode_referrer(const Digest& digest, std::string_view bytes) {
  RecordReader reader(bytes);
  Referrer referrer{digest, {}, 0, {}, {}};
  referrer.media_type = reader.text();
  referrer.size = reader.number();
  referrer.artifact_type = reader.text();
  referrer.annotations = reader.text();
  if (!reader.good()) return damaged("referrer");
  return referrer;
}

std::uint64_t UploadRecord::chunks() const {
  return (segments_end + kChunkBytes - 1) / kChunkBytes;
}

std::string UploadRecord::encode() const {
  return RecordWriter()
      .text(repository)
      .number(static_cast<std::uint64_t>(algorithm))
      .number(content_id)
      .number(segments_end)
      .number(offset)
      .number(stored_bytes)
      .number(seconds(used))
      .take();
}

Result<UploadRecord> UploadRecord::decode(std::string_view bytes) {
  RecordReader reader(bytes);
  UploadRecord record;
  record.repository = reader.text();
  const std::uint64_t algorithm = reader.number();
  record.algorithm = algorithm == 2 ? Algorithm::sha512 : Algorithm::sha256;
  record.content_id = reader.number();
  record.segments_end = reader.number();
  record.offset = reader.number();
  record.stored_bytes = reader.number();
  record.used = unix_time(reader.number());
  if (!reader.good() || record.offset < record.segments_end) return damaged("upload");
  return record;
}

std::string ArrivalRecord::encode() const {
  return RecordWriter()
      .number(size)
      .number(piece_bytes)
      .text(attachment)
      .number(content_id)
      .number(stored_bytes)
      .number(seconds(used))
      .text(places)
      .take();
}

Result<ArrivalRecord> ArrivalRecord::decode(std::string_view bytes) {
  RecordReader reader(bytes);
  ArrivalRecord record;
  record.size = reader.number();
  record.piece_bytes = reader.number();
  record.attachment = reader.text();
  record.content_id = reader.number();
  record.stored_bytes = reader.number();
  record.used = unix_time(reader.number());
  record.places = reader.text();
  if (!reader.good() || record.size == 0 || record.piece_bytes == 0) return damaged("arrival");
  return record;
}

std::string QuarantineRecord::encode() const {
  return RecordWriter().number(size).number(seconds(found)).text(reason).take();
}

Result<QuarantineRecord> QuarantineRecord::decode(std::string_view bytes) {
  RecordReader reader(bytes);
  QuarantineRecord record;
  record.size = reader.number();
  record.found = unix_time(reader.number());
  record.reason = reader.text();
  if (!reader.good()) return damaged("quarantine");
  return record;
}

std::string encode_event(const Event& event) {
  return RecordWriter()
      .number(static_cast<std::uint64_t>(event.kind))
      .number(seconds(event.time))
      .text(event.repository)
      .text(event.digest ? event.digest->key() : std::string())
      .text(event.tag)
      .text(event.media_type)
      .number(event.size)
      .text(event.from)
      .take();
}

Result<Event> decode_event(std::uint64_t sequence, std::string_view bytes) {
  RecordReader reader(bytes);
  Event event;
  event.sequence = sequence;
  event.kind = static_cast<EventKind>(reader.number());
  event.time = unix_time(reader.number());
  event.repository = reader.text();
  const std::string_view digest = reader.text();
  if (!digest.empty()) {
    const auto parsed = Digest::from_key(digest);
    if (!parsed) return damaged("event");
    event.digest = *parsed;
  }
  event.tag = reader.text();
  event.media_type = reader.text();
  event.size = reader.number();
  event.from = reader.text();
  if (!reader.good()) return damaged("event");
  return event;
}

std::string Counters::encode() const {
  return RecordWriter()
      .number(blobs)
      .number(content_bytes)
      .number(stored_bytes)
      .number(quarantined)
      .take();
}

Result<Counters> Counters::decode(std::string_view bytes) {
  RecordReader reader(bytes);
  Counters counters;
  counters.blobs = reader.number();
  counters.content_bytes = reader.number();
  counters.stored_bytes = reader.number();
  counters.quarantined = reader.number();
  if (!reader.good()) return damaged("counters");
  return counters;
}

}  // namespace shoal
