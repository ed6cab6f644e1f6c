#pragma once

// The keys of the metadata database: the format that every reader and writer in this folder shares.
//
// A key is one letter, the table, and then its parts. A repository ends with a zero byte (its
// grammar has none), a digest key says its own length by its first byte, numbers are big-endian:
// so byte order is the order of the lists that clients page through, and a prefix selects exactly
// one repository, one manifest, one point in time.
//
//   c repository                     -> when it was created  the catalog
//   t repository 0 tag               -> TagRecord            tags
//   g repository 0 digest tag        -> nothing              which tags name a manifest
//   m repository 0 digest            -> ManifestRecord       manifests of a repository
//   b repository 0 digest            -> nothing              blobs of a repository
//   h digest kind repository         -> nothing              who holds content (b or m)
//   f repository 0 child parent      -> nothing              which manifests name content
//   r repository 0 subject referrer  -> ReferrerRecord       referrers
//   u upload id                      -> UploadRecord         open upload sessions
//   v digest                         -> ArrivalRecord        content that is on its way
//   d digest                         -> what was attached to the content
//   q due digest kind repository     -> reason               candidates for collection
//   i content id                     -> digest               whose segments these are
//   l hour digest                    -> nothing              content by last use, and
//   a digest                         -> hour                 the hour it stands under
//   p digest                         -> nothing              pinned content
//   x digest                         -> QuarantineRecord     content that was found bad
//   s name                           -> one value each       counters, cursors, version
//
// Two families stand beside these: content (digest key -> ContentRecord, small content inline) and
// the change feed (sequence number -> Event).

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/codec.h"
#include "storage/digest.h"
#include "storage/name.h"

namespace shoal::keys {

inline std::string repository(char table, const std::string& name) {
  std::string key(1, table);
  key += name;
  key += '\0';
  return key;
}

inline std::string catalog(const std::string& name) { return 'c' + name; }

inline std::string tag(const Repository& name, const std::string& tag) {
  return repository('t', name.text()) + tag;
}

inline std::string tags_of(const std::string& name, const Digest& manifest) {
  return repository('g', name) + manifest.key();
}

inline std::string manifest(const std::string& name, const Digest& digest) {
  return repository('m', name) + digest.key();
}

inline std::string blob(const std::string& name, const Digest& digest) {
  return repository('b', name) + digest.key();
}

/// `kind` is 'b' or 'm': the table of the link.
inline std::string holder(const Digest& digest, char kind, const std::string& name) {
  return 'h' + digest.key() + kind + name;
}
inline std::string holders(const Digest& digest) { return 'h' + digest.key(); }

inline std::string parents(const std::string& name, const Digest& child) {
  return repository('f', name) + child.key();
}
inline std::string parent(const std::string& name, const Digest& child, const Digest& parent) {
  return parents(name, child) + parent.key();
}

inline std::string referrers(const std::string& name, const Digest& subject) {
  return repository('r', name) + subject.key();
}

inline std::string upload(const std::string& id) { return 'u' + id; }

inline std::string numbered(char table, std::uint64_t number) {
  std::string key(1, table);
  append_big_endian(key, number);
  return key;
}

inline std::string candidate(std::uint64_t due, const Digest& digest, char kind,
                             const std::string& name) {
  return numbered('q', due) + digest.key() + kind + name;
}

inline std::string used(std::uint64_t hour, const Digest& digest) {
  return numbered('l', hour) + digest.key();
}

inline std::string of_digest(char table, const Digest& digest) { return table + digest.key(); }

inline std::string setting(std::string_view name) { return 's' + std::string(name); }

}  // namespace shoal::keys
