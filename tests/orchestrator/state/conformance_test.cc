#include "tests/orchestrator/state/conformance.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <set>

#include <fmt/format.h>

#include "tests/orchestrator/state/conformance_rules.h"

namespace shoal {
namespace {

std::vector<std::string> keys_of(const StateList& list) {
  std::vector<std::string> keys;
  for (const auto& entry : list.entries) keys.push_back(entry.key);
  return keys;
}

/// All keys, in pages of `page`.
std::vector<std::string> all_keys(State& state, const std::string& prefix, std::size_t page) {
  std::vector<std::string> keys;
  for (;;) {
    const auto list = state.list(prefix, keys.empty() ? "" : keys.back(), page);
    REQUIRE(list);
    REQUIRE(list->entries.size() <= page);
    for (const auto& entry : list->entries) keys.push_back(entry.key);
    if (!list->more) return keys;
    REQUIRE_FALSE(list->entries.empty());
  }
}

void run_threads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (auto& thread : threads) thread.join();
}

void nothing_is_there(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  const auto entry = fixture.state().get(prefix + "none");
  REQUIRE(entry);
  CHECK_FALSE(*entry);
  const auto list = fixture.state().list(prefix, "", 10);
  REQUIRE(list);
  CHECK(list->entries.empty());
  CHECK_FALSE(list->more);
  CHECK(list->revision > 0);
}

void write_is_read(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  const auto created = commit(fixture.state(), {put(prefix + "a", "1")});
  auto entry = fixture.other().get(prefix + "a");
  REQUIRE(entry);
  CHECK(*entry == StateEntry{prefix + "a", "1", created, created, 0});

  const auto modified = commit(fixture.other(), {put(prefix + "a", "2")});
  CHECK(modified > created);
  entry = fixture.state().get(prefix + "a");
  REQUIRE(entry);
  CHECK(*entry == StateEntry{prefix + "a", "2", created, modified, 0});

  commit(fixture.state(), {erase(prefix + "a")});
  CHECK_FALSE(fixture.other().get(prefix + "a")->has_value());
  const auto again = commit(fixture.state(), {put(prefix + "a", "3")});
  CHECK(fixture.other().get(prefix + "a")->value().created == again);
}

void erasing_nothing(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  const auto before = commit(fixture.state(), {put(prefix + "b", "1")});
  CHECK(commit(fixture.state(), {erase(prefix + "a")}) >= before);
  CHECK(commit(fixture.state(), {erase(prefix + "a"), put(prefix + "b", "2")}) > before);
}

void list_selects(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  commit(state, {put(prefix + "a", "1"), put(prefix + "b", "2"), put(prefix + "b/c", "3"),
                 put(prefix + "bd", "4"), put(prefix + "c", "5")});
  const auto keys = [&](const std::string& below, const std::string& after, std::size_t limit) {
    auto list = state.list(prefix + below, after.empty() ? "" : prefix + after, limit);
    REQUIRE(list);
    auto found = keys_of(*list);
    for (auto& key : found) key.erase(0, prefix.size());
    if (list->more) found.push_back("...");
    return found;
  };
  using Keys = std::vector<std::string>;
  CHECK(keys("", "", 10) == Keys{"a", "b", "b/c", "bd", "c"});
  CHECK(keys("", "", 5) == Keys{"a", "b", "b/c", "bd", "c"});
  CHECK(keys("", "", 2) == Keys{"a", "b", "..."});
  CHECK(keys("", "b", 2) == Keys{"b/c", "bd", "..."});
  CHECK(keys("", "bb", 10) == Keys{"bd", "c"});
  CHECK(keys("", "c", 10).empty());
  CHECK(keys("b", "", 10) == Keys{"b", "b/c", "bd"});
  CHECK(keys("b", "b/c", 10) == Keys{"bd"});
  CHECK(keys("b", "a", 1) == Keys{"b", "..."});
  CHECK(keys("b", "c", 10).empty());
  CHECK(keys("b/", "", 10) == Keys{"b/c"});

  const auto list = state.list(prefix, "", 10);
  CHECK(list->entries[2].value == "3");
  CHECK(list->revision >= list->entries[2].modified);
}

void odd_bytes(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  const std::vector<std::string> odd = {std::string("\0", 1),
                                        std::string("\0\0", 2),
                                        "\x01",
                                        " ",
                                        "\"",
                                        "%2f",
                                        "/",
                                        "//",
                                        "A",
                                        "\\",
                                        "\x7f",
                                        "\x80",
                                        "\xc3\xa4",
                                        "\xfe",
                                        "\xff",
                                        "\xff\xff",
                                        "\xff\xff\xff"};
  std::vector<StateWrite> writes;
  std::vector<std::string> keys;
  for (const auto& bytes : odd) {
    keys.push_back(prefix + bytes);
    writes.push_back(put(keys.back(), bytes));
  }
  std::reverse(writes.begin(), writes.end());
  commit(state, writes);
  CHECK(std::is_sorted(keys.begin(), keys.end()));
  for (const std::size_t page : {1, 2, 3, 100}) CHECK(all_keys(state, prefix, page) == keys);
  for (std::size_t i = 0; i < odd.size(); ++i) CHECK(state.get(keys[i])->value().value == odd[i]);
  CHECK(all_keys(state, prefix + "\xff", 2) ==
        std::vector<std::string>(keys.end() - 3, keys.end()));
}

void many_pages(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  std::vector<std::string> keys;
  for (int batch = 0; batch < 12; ++batch) {
    std::vector<StateWrite> writes;
    for (int i = 0; i < 100; ++i) {
      keys.push_back(fmt::format("{}{:05}", prefix, batch * 100 + i));
      writes.push_back(put(keys.back(), "x"));
    }
    commit(fixture.state(), writes);
  }
  CHECK(all_keys(fixture.state(), prefix, 2000) == keys);
  CHECK(all_keys(fixture.other(), prefix, 500) == keys);
  CHECK(all_keys(fixture.other(), prefix, 499) == keys);
}

void conditions(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  const auto key = prefix + "k";
  const auto attempt = [&](Condition condition, const std::string& value) {
    return state.commit({{std::move(condition)}, {put(key, value)}});
  };
  const auto refused = [&](Condition condition) {
    const auto result = attempt(std::move(condition), "wrong");
    return !result && result.error().code == Errc::conflict;
  };
  const auto absent = attempt(Condition::absent(key), "1");
  REQUIRE(absent);
  CHECK(refused(Condition::absent(key)));
  CHECK(refused(Condition::created_at(key, *absent + 1)));

  auto entry = **state.get(key);
  CHECK(attempt(Condition::created_at(key, *absent), "2"));
  CHECK(refused(Condition::unchanged(entry)));
  CHECK(attempt(Condition::created_at(key, *absent), "3"));
  entry = **state.get(key);
  CHECK(attempt(Condition::unchanged(entry), "4"));
  CHECK(state.get(key)->value().value == "4");

  // A condition may be on another key than the writes, and need no writes at all.
  CHECK(state.commit({{Condition::absent(prefix + "other")}, {}}));
  CHECK(state.commit({{Condition::absent(key)}, {}}).error().code == Errc::conflict);
  CHECK(state
            .commit({{Condition::absent(prefix + "other"), Condition::absent(key)},
                     {put(prefix + "third", "")}})
            .error()
            .code == Errc::conflict);
  CHECK_FALSE(state.get(prefix + "third")->has_value());

  entry = **state.get(key);
  CHECK(state.commit({{Condition::unchanged(entry)}, {erase(key)}}));
  CHECK(refused(Condition::unchanged(entry)));
  CHECK(attempt(Condition::absent(key), "5"));
}

void one_revision(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  std::vector<StateWrite> writes;
  for (std::size_t i = 0; i < kStateWritesMax; ++i) {
    writes.push_back(put(prefix + fmt::format("{:03}", i), std::to_string(i)));
  }
  const auto first = commit(state, writes);
  const auto second = commit(state, {put(prefix + "000", "x"), erase(prefix + "001")});
  CHECK(second > first);
  const auto list = state.list(prefix, "", 200);
  REQUIRE(list);
  REQUIRE(list->entries.size() == kStateWritesMax - 1);
  CHECK(list->entries[0].modified == second);
  for (const auto& entry : list->entries) CHECK(entry.created == first);
}

void limits(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  const auto code = [&](Transaction transaction) {
    const auto result = state.commit(transaction);
    return result ? std::nullopt : std::optional(result.error().code);
  };
  Transaction many;
  for (std::size_t i = 0; i <= kStateWritesMax; ++i) {
    many.writes.push_back(put(prefix + std::to_string(i), ""));
  }
  CHECK(code(many) == Errc::too_large);
  CHECK(code({{}, {put(prefix + "a", std::string(kStateBytesMax, 'x'))}}) == Errc::too_large);
  CHECK(code({{}, {put(prefix + "a", ""), erase(prefix + "a")}}) == Errc::bad_request);
  CHECK(code({{}, {put("", "")}}) == Errc::bad_request);
  CHECK(state.list(prefix, "", 10)->entries.empty());
}

void values(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  std::mt19937_64 random(5);
  std::string large(512 << 10, '\0');
  for (auto& byte : large) byte = static_cast<char>(random());
  std::string largest(kStateBytesMax - prefix.size() - 1, '\xff');
  const std::vector<std::string> all = {"", std::string("\0a\0", 3), "\xff\xfe", large};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto key = prefix + std::to_string(i);
    commit(fixture.state(), {put(key, all[i])});
    CHECK((fixture.other().get(key)->value().value == all[i]));
  }
  commit(fixture.state(), {put(prefix + "z", largest)});
  const auto list = fixture.other().list(prefix, "", 10);
  REQUIRE(list);
  CHECK(list->entries.size() + (list->more ? 1 : 0) >= all.size());
  CHECK((fixture.other().get(prefix + "z")->value().value == largest));
}

void own_writes(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  std::atomic<int> faults = 0;
  run_threads(8, [&](int thread) {
    for (int i = 0; i < 25; ++i) {
      auto& writer = i % 2 == 0 ? fixture.state() : fixture.other();
      auto& reader = i % 3 == 0 ? fixture.state() : fixture.other();
      const auto key = prefix + std::to_string(thread);
      const auto value = std::to_string(i);
      if (!writer.commit({{}, {put(key, value)}})) ++faults;
      const auto entry = reader.get(key);
      if (!entry || !*entry || (*entry)->value != value) ++faults;
      const auto list = reader.list(key, "", 1);
      if (!list || list->entries.empty() || list->entries[0].value != value) ++faults;
    }
  });
  CHECK(faults == 0);
}

void counter(StateFixture& fixture) {
  constexpr int kThreads = 8;
  constexpr int kEach = 25;
  const auto key = fresh_prefix() + "counter";
  std::atomic<int> faults = 0;
  std::mutex mutex;
  std::set<Revision> revisions;
  commit(fixture.state(), {put(key, "0")});
  run_threads(kThreads, [&](int thread) {
    auto& state = thread % 2 == 0 ? fixture.state() : fixture.other();
    for (int done = 0; done < kEach;) {
      const auto entry = state.get(key);
      if (!entry || !*entry) {
        ++faults;
        return;
      }
      const auto value = std::to_string(std::stoi((*entry)->value) + 1);
      const auto result = state.commit({{Condition::unchanged(**entry)}, {put(key, value)}});
      if (result) {
        ++done;
        const std::lock_guard lock(mutex);
        if (!revisions.insert(*result).second) ++faults;
      } else if (result.error().code != Errc::conflict) {
        ++faults;
        return;
      }
    }
  });
  CHECK(faults == 0);
  CHECK(fixture.state().get(key)->value().value == std::to_string(kThreads * kEach));
}

/// Two keys that are always written together are never seen apart.
void all_or_nothing(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  commit(fixture.state(), {put(prefix + "a", "0"), put(prefix + "b", "0")});
  std::atomic<bool> done = false;
  std::atomic<int> faults = 0;
  std::thread reader([&] {
    Revision newest = 0;
    while (!done) {
      const auto list = fixture.other().list(prefix, "", 10);
      if (!list || list->entries.size() != 2 || list->revision < newest ||
          list->entries[0].value != list->entries[1].value ||
          list->entries[0].modified != list->entries[1].modified) {
        ++faults;
      }
      if (list) newest = list->revision;
    }
  });
  run_threads(4, [&](int thread) {
    for (int i = 0; i < 25; ++i) {
      const auto value = fmt::format("{}.{}", thread, i);
      if (!fixture.state().commit({{}, {put(prefix + "a", value), put(prefix + "b", value)}})) {
        ++faults;
      }
    }
  });
  done = true;
  reader.join();
  CHECK(faults == 0);
}

}  // namespace

std::vector<ConformanceRule> data_rules() {
  return {
      {"What was never written is not there", nothing_is_there},
      {"A write is read at once, with its revisions", write_is_read},
      {"To erase what is not there is a success", erasing_nothing},
      {"A list gives a prefix, behind a key, up to a limit", list_selects},
      {"Keys of any bytes keep their order", odd_bytes},
      {"Pages of any size add up to the whole", many_pages},
      {"A condition that does not hold stops all writes", conditions},
      {"All writes of a transaction have one revision", one_revision},
      {"What is too much, or written twice, is refused whole", limits},
      {"Values of any bytes up to 1 MiB come back as they were", values},
      {"Many threads each read what they wrote", own_writes},
      {"Eight threads that count by compare-and-set lose nothing", counter},
      {"A list never shows half a transaction", all_or_nothing},
  };
}

std::string fresh_prefix() {
  std::random_device device;
  return fmt::format("conformance/{:08x}{:08x}/", device(), device());
}

Revision commit(State& state, std::vector<StateWrite> writes) {
  const auto revision = state.commit({{}, std::move(writes)});
  if (!revision) INFO(revision.error().message);
  REQUIRE(revision);
  return *revision;
}

void run_conformance(const std::function<std::unique_ptr<StateFixture>()>& make) {
  for (const auto& rules : {data_rules(), watch_rules(), lease_rules(), election_rules()}) {
    for (const auto& rule : rules) {
      DYNAMIC_SECTION(rule.sentence) {
        const auto fixture = make();
        rule.show(*fixture);
      }
    }
  }
}

}  // namespace shoal
