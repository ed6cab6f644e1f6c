#include "orchestrator/cccf/random.h"

#include <array>
#include <random>
#include <set>

#include <fmt/format.h>

namespace shoal {
namespace {

class Generator {
 public:
  explicit Generator(const RandomCccf& options) : options_(options), engine_(options.seed) {}

  CccfDocument run() {
    CccfDocument document;
    for (std::size_t i = 0; i < options_.count; ++i) {
      CccfItem item;
      item.pointer = "/" + std::to_string(i);
      item.fields = options_.plain ? plain() : rich();
      document.items.push_back(std::move(item));
    }
    return document;
  }

 private:
  /// std::uniform_int_distribution gives other numbers with other libraries.
  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  std::string word(std::size_t length) {
    static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::string text;
    // A letter first: no word is a number.
    for (std::size_t i = 0; i < length; ++i) text += kLetters[below(i == 0 ? 26 : kLetters.size())];
    return text;
  }

  std::string fresh_id() {
    static constexpr std::array<std::string_view, 4> kForms = {"{}", "{}_B", "{}-scale-x", "/{}"};
    for (;;) {
      const std::string base = word(4 + below(8));
      const bool odd = !options_.plain && one_in(4);
      const auto id = fmt::format(fmt::runtime(odd ? kForms[below(4)] : "{}"), base);
      if (ids_.insert(base).second) return id;
    }
  }

  std::string fresh_port() {
    for (;;) {
      const std::uint64_t port = 1024 + below(60'000);
      if (ports_.insert(port).second) return std::to_string(port);
    }
  }

  std::string version() { return fmt::format("{}.{}.{}", below(10), below(10), below(10)); }

  JsonValue plain() {
    JsonValue fields = JsonValue::Object();
    fields.set("id", fresh_id());
    fields.set("image", word(6) + "/" + word(6) + ":" + version());
    fields.set("cmd", word(20));
    const std::string port = fresh_port();
    fields.set("ports", JsonValue::Array{port + ":" + port});
    fields.set("env", JsonValue::Array{word(8) + "=" + word(8)});
    const std::string path = "/" + word(8);
    fields.set("volumes", JsonValue::Array{path + ":" + path});
    return fields;
  }

  std::string image() {
    switch (below(5)) {
      case 0: return word(5);
      case 1: return word(5) + "/" + word(5) + ":" + version();
      case 2: return "reg." + word(4) + ":5000/" + word(5) + "/" + word(5);
      case 3: return "reg." + word(4) + ":5000/" + word(5) + ":" + version();
      default: return word(5) + "@sha256:" + std::string(64, "0123456789abcdef"[below(16)]);
    }
  }

  template <class Make>
  void list(JsonValue& fields, const char* name, const Make& make) {
    if (one_in(2)) return;
    JsonValue::Array values;
    for (std::uint64_t n = below(4); n > 0; --n) values.emplace_back(make());
    fields.set(name, std::move(values));
  }

  JsonValue rich() {
    JsonValue fields = JsonValue::Object();
    const std::string id = fresh_id();
    // Fields come in any order.
    if (one_in(3)) extensions(fields);
    fields.set("id", id);
    fields.set("image", image());
    if (one_in(2)) fields.set("cmd", command());
    list(fields, "ports", [&] {
      static constexpr std::array<std::string_view, 3> kProtocols = {"", "/tcp", "/udp"};
      return fmt::format("{}:{}{}", fresh_port(), 1 + below(65'000), kProtocols[below(3)]);
    });
    list(fields, "env", [&] { return word(5) + "=" + value(); });
    list(fields, "volumes", [&] {
      const std::string target = "/" + word(5) + (one_in(2) ? "/" + word(3) : "");
      return (one_in(3) ? word(5) : "/" + word(5)) + ":" + target + (one_in(4) ? ":ro" : "");
    });
    list(fields, "expose", [&] { return std::to_string(1 + below(65'000)); });
    if (!known_.empty() && one_in(3)) {
      fields.set("links", JsonValue::Array{"$" + known_[below(known_.size())]});
    }
    if (!one_in(3)) extensions(fields);
    known_.push_back(id.starts_with('/') ? id.substr(1) : id);
    return fields;
  }

  std::string command() {
    switch (below(4)) {
      case 0: return word(4) + " --" + word(3) + " " + word(3);
      case 1: return "sh -c 'echo " + word(4) + "; exit 0'";
      case 2: return word(3) + " \"two words\" it\\'s";
      default: return word(20);
    }
  }

  std::string value() {
    static constexpr std::array<std::string_view, 6> kOdd = {
        "", "two words", "a=b", "it's", "\"quoted\"", "\xC3\xA6\xC3\xB8\xC3\xA5 \xE2\x98\x83"};
    return one_in(2) ? word(6) : std::string(kOdd[below(kOdd.size())]);
  }

  /// What the family adds, and what nobody knows.
  void extensions(JsonValue& fields) {
    if (one_in(3)) fields.set("scale", JsonValue::of(1 + below(4)));
    if (one_in(3)) fields.set("memory", fmt::format("{}MB", 16 + below(512)));
    if (one_in(3)) fields.set("cpu", JsonValue::of(2 + below(1000)));
    if (one_in(4)) fields.set("dns", JsonValue::Array{fmt::format("192.0.2.{}", below(256))});
    if (one_in(4)) fields.set("restart", "always");
    if (one_in(4)) fields.set("privileged", one_in(2));
    if (one_in(4)) fields.set("placement", JsonValue::Array{word(4), word(5)});
    if (one_in(5)) fields.set("host", "tcp://192.0.2.7:4243");
    if (one_in(5)) fields.set("label", JsonValue::Array{word(3) + "=" + value()});
    if (one_in(5)) fields.set("x-" + word(3), anything(3));
  }

  JsonValue anything(int depth) {
    switch (below(depth > 0 ? 8 : 6)) {
      case 0: return {};
      case 1: return one_in(2);
      case 2: return JsonValue::of(below(1'000'000));
      case 3: return JsonNumber{fmt::format("-{}.{}e{}", below(10), 1 + below(99), below(20))};
      case 4: return JsonNumber{"123456789012345678901234567890"};
      case 5: return value();
      case 6: {
        JsonValue::Array array;
        for (auto n = below(3); n > 0; --n) array.push_back(anything(depth - 1));
        return array;
      }
      default: {
        JsonValue object = JsonValue::Object();
        for (auto n = below(3); n > 0; --n) object.set(word(3), anything(depth - 1));
        return object;
      }
    }
  }

  const RandomCccf& options_;
  std::mt19937_64 engine_;
  std::set<std::string> ids_;
  std::set<std::uint64_t> ports_;
  std::vector<std::string> known_;  // Ids so far.
};

}  // namespace

CccfDocument random_cccf(const RandomCccf& options) { return Generator(options).run(); }

}  // namespace shoal
