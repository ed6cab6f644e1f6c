#include "p2p/directory_messages.h"

#include <optional>
#include <unordered_map>

namespace shoal {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kComplete = 1;
constexpr std::uint8_t kFresh = 1;
constexpr std::uint8_t kFull = 2;
constexpr std::uint8_t kFetches = 1;
constexpr std::size_t kNamesMax = 65535;

using Names = std::vector<std::string>;

class Writer {
 public:
  explicit Writer(char kind) { number(kVersion, 1).number(static_cast<std::uint8_t>(kind), 1); }

  Writer& number(std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
      text_ += static_cast<char>(value >> shift & 0xff);
    }
    return *this;
  }
  Writer& name(const std::string& value) {
    number(value.size(), 1);
    text_ += value;
    return *this;
  }
  Writer& digests(const std::vector<Digest>& values) {
    for (const auto& digest : values) {
      const auto hash = digest.hash();
      number(static_cast<std::uint8_t>(digest.algorithm()), 1);
      text_.append(reinterpret_cast<const char*>(hash.data()), hash.size());
    }
    return *this;
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// Once something is missing or wrong everything reads as zero, and error() tells what it was.
class Reader {
 public:
  Reader(std::string_view body, char kind) : rest_(body) {
    const auto version = number(1, "version");
    if (!error_ && version != kVersion) {
      refuse("version " + std::to_string(version) + " is not known here: upgrade this node");
    }
    const auto found = number(1, "kind");
    if (!error_ && found != static_cast<std::uint8_t>(kind)) refuse("it is another message");
  }

  std::uint64_t number(std::size_t bytes, const char* what) {
    const auto taken = take(bytes, what);
    std::uint64_t value = 0;
    for (const char c : taken) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::size_t count(std::size_t bytes, std::size_t max, const char* what) {
    const auto value = static_cast<std::size_t>(number(bytes, what));
    if (value <= max) return value;
    refuse(std::to_string(value) + " " + what + " are more than " + std::to_string(max));
    return 0;
  }
  std::uint8_t flags(std::uint8_t known) {
    const auto value = static_cast<std::uint8_t>(number(1, "flags"));
    if ((value & ~known) != 0) refuse("it has unknown flags");
    return value;
  }
  std::string name() {
    const auto text = take(static_cast<std::size_t>(number(1, "name")), "name");
    if (!error_ && text.empty()) refuse("a name is empty");
    return std::string(text);
  }
  std::vector<Digest> digests(std::size_t count) {
    std::vector<Digest> digests;
    for (std::size_t i = 0; i < count && !error_; ++i) {
      const bool long_hash = !rest_.empty() && rest_.front() == char{2};
      const auto digest = Digest::from_key(take(long_hash ? 65 : 33, "digests"));
      if (error_) break;
      if (!digest) {
        refuse("a digest is not one");
        break;
      }
      digests.push_back(*digest);
    }
    return digests;
  }
  void refuse(std::string reason) {
    if (!error_) error_ = Error{Errc::bad_request, "not a directory message: " + reason};
    rest_ = {};
  }
  /// Whether the body was right, and all of it was read.
  template <class T>
  Result<T> finish(T message) {
    if (!error_ && !rest_.empty()) refuse("bytes are left over");
    if (error_) return tl::unexpected(*error_);
    return message;
  }
  [[nodiscard]] bool good() const { return !error_; }

 private:
  std::string_view take(std::size_t bytes, const char* what) {
    if (rest_.size() < bytes) refuse(std::string("it ends within its ") + what);
    if (error_) return {};
    const auto taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  std::string_view rest_;
  std::optional<Error> error_;
};

}  // namespace

std::string encode(const Announce& message) {
  return Writer('A')
      .number(message.complete ? kComplete : 0, 1)
      .name(message.holder)
      .number(message.boot, 8)
      .number(message.epoch, 8)
      .number(message.sequence, 8)
      .number(message.adds.size(), 4)
      .number(message.removes.size(), 4)
      .digests(message.adds)
      .digests(message.removes)
      .take();
}

std::string encode(const AnnounceAnswer& message) {
  const int flags = (message.fresh ? kFresh : 0) | (message.full ? kFull : 0);
  return Writer('a').number(static_cast<std::uint64_t>(flags), 1).number(message.boot, 8).take();
}

std::string encode(const Lookup& message) {
  return Writer('L')
      .number(message.fetches ? kFetches : 0, 1)
      .number(message.digests.size(), 4)
      .digests(message.digests)
      .take();
}

std::string encode(const LookupAnswer& message) {
  std::unordered_map<std::string, std::size_t> indexes;
  std::vector<const std::string*> names;
  const auto name_all = [&](const Names& nodes) {
    for (const auto& node : nodes) {
      if (indexes.emplace(node, names.size()).second) names.push_back(&node);
    }
  };
  for (const auto& holders : message.holders) name_all(holders);
  for (const auto& fetchers : message.fetchers) name_all(fetchers);
  Writer writer('l');
  writer.number(message.boot, 8)
      .number(static_cast<std::uint64_t>(message.age.count()), 4)
      .number(names.size(), 2);
  for (const auto* name : names) writer.name(*name);
  const auto write_list = [&](const Names& nodes) {
    writer.number(nodes.size(), 1);
    for (const auto& node : nodes) writer.number(indexes.at(node), 2);
  };
  for (std::size_t i = 0; i < message.holders.size(); ++i) {
    write_list(message.holders[i]);
    write_list(message.fetchers[i]);
  }
  return writer.take();
}

Result<Announce> parse_announce(std::string_view body) {
  Reader reader(body, 'A');
  Announce message;
  message.complete = (reader.flags(kComplete) & kComplete) != 0;
  message.holder = reader.name();
  message.boot = reader.number(8, "boot id");
  message.epoch = reader.number(8, "epoch");
  message.sequence = reader.number(8, "sequence");
  const auto adds = reader.count(4, kAnnounceDigestsMax, "digests");
  const auto removes = reader.count(4, kAnnounceDigestsMax - adds, "further digests");
  message.adds = reader.digests(adds);
  message.removes = reader.digests(removes);
  return reader.finish(std::move(message));
}

Result<AnnounceAnswer> parse_announce_answer(std::string_view body) {
  Reader reader(body, 'a');
  AnnounceAnswer message;
  const auto flags = reader.flags(kFresh | kFull);
  message.fresh = (flags & kFresh) != 0;
  message.full = (flags & kFull) != 0;
  message.boot = reader.number(8, "boot id");
  return reader.finish(message);
}

Result<Lookup> parse_lookup(std::string_view body) {
  Reader reader(body, 'L');
  Lookup message;
  message.fetches = (reader.flags(kFetches) & kFetches) != 0;
  message.digests = reader.digests(reader.count(4, kLookupDigestsMax, "digests"));
  return reader.finish(std::move(message));
}

Result<LookupAnswer> parse_lookup_answer(std::string_view body, std::size_t digests) {
  Reader reader(body, 'l');
  LookupAnswer message;
  message.boot = reader.number(8, "boot id");
  message.age = std::chrono::seconds(reader.number(4, "age"));
  Names names;
  const auto count = reader.count(2, kNamesMax, "names");
  for (std::size_t i = 0; i < count && reader.good(); ++i) names.push_back(reader.name());
  const auto read_list = [&](std::size_t max, const char* what) {
    Names nodes;
    const auto size = reader.count(1, max, what);
    for (std::size_t i = 0; i < size && reader.good(); ++i) {
      const auto index = static_cast<std::size_t>(reader.number(2, what));
      if (index >= names.size()) reader.refuse(std::string("one of its ") + what + " has no name");
      if (reader.good()) nodes.push_back(names[index]);
    }
    return nodes;
  };
  for (std::size_t i = 0; i < digests && reader.good(); ++i) {
    message.holders.push_back(read_list(kLookupHoldersMax, "holders"));
    message.fetchers.push_back(read_list(kLookupFetchersMax, "fetchers"));
  }
  return reader.finish(std::move(message));
}

}  // namespace shoal
