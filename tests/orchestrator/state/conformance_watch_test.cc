#include <algorithm>
#include <atomic>
#include <deque>
#include <set>

#include <fmt/format.h>

#include "tests/orchestrator/state/conformance_rules.h"

namespace shoal {

Watched::Watched(State& state, std::string prefix, State::Sink also)
    : prefix_(std::move(prefix)), also_(std::move(also)) {
  watch_ = state.watch(prefix_, [this](const StateEvent& event) {
    hear(event);
    if (also_) also_(event);
  });
}

void Watched::hear(const StateEvent& event) {
  const std::lock_guard lock(mutex_);
  std::visit([this](const auto& told) { hear(told); }, event);
  heard_.notify_all();
}

void Watched::hear(const StateRelisted& event) {
  if (event.revision < revision_) fault_ += "a list of the past; ";
  ++relists_;
  entries_.clear();
  std::string last;
  for (const auto& entry : event.entries) {
    if (entry.key.rfind(prefix_, 0) != 0) fault_ += "listed outside of the prefix; ";
    if (entry.modified > event.revision) fault_ += "listed from the future; ";
    if (!last.empty() && entry.key <= last) fault_ += "listed out of order; ";
    last = entry.key;
    entries_[entry.key] = entry;
  }
  revision_ = event.revision;
}

void Watched::hear(const StateChanged& event) {
  if (relists_ == 0) fault_ += "changes before the first list; ";
  if (event.changes.empty()) fault_ += "an event of nothing; ";
  Revision last = revision_ + 1;  // A repetition of what was known would be below.
  for (const auto& change : event.changes) {
    const auto& entry = change.entry;
    if (entry.key.rfind(prefix_, 0) != 0) fault_ += "a change outside of the prefix; ";
    if (entry.modified < last) fault_ += "a change told twice or out of order; ";
    last = entry.modified;
    const auto known = entries_.find(entry.key);
    const bool here = known != entries_.end();
    if (change.erased && !here) fault_ += "an erasure of what was not there; ";
    if (!change.erased && here && entry.created != known->second.created) {
      fault_ += "an erasure was left out; ";
    }
    if (!change.erased && !here && entry.created != entry.modified) {
      fault_ += "a creation was left out; ";
    }
    if (change.erased) {
      entries_.erase(entry.key);
    } else {
      entries_[entry.key] = entry;
    }
    changes_.push_back(change);
  }
  if (!event.changes.empty() && event.revision != event.changes.back().entry.modified) {
    fault_ += "a revision that is not the last change's; ";
  }
  revision_ = event.revision;
}

std::map<std::string, std::string> Watched::values() const {
  std::map<std::string, std::string> values;
  for (const auto& [key, entry] : entries_) values[key] = entry.value;
  return values;
}

void Watched::expect(const std::map<std::string, std::string>& entries) {
  std::unique_lock lock(mutex_);
  heard_.wait_for(lock, kPatience, [&] { return relists_ > 0 && values() == entries; });
  CHECK(values() == entries);
  CHECK(fault_.empty());
  CHECK(relists_ > 0);
}

void Watched::expect_revision(Revision revision) {
  std::unique_lock lock(mutex_);
  heard_.wait_for(lock, kPatience, [&] { return revision_ >= revision; });
  CHECK(revision_ >= revision);
  CHECK(fault_.empty());
}

std::vector<StateChange> Watched::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

std::size_t Watched::relists() const {
  const std::lock_guard lock(mutex_);
  return relists_;
}

std::string Watched::fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

namespace {

using Entries = std::map<std::string, std::string>;

Entries listed(State& state, const std::string& prefix) {
  Entries entries;
  const auto list = state.list(prefix, "", 10'000);
  REQUIRE(list);
  REQUIRE_FALSE(list->more);
  for (const auto& entry : list->entries) entries[entry.key] = entry.value;
  return entries;
}

void lists_first(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  Watched empty(fixture.other(), prefix + "none/");
  empty.expect({});
  commit(fixture.state(), {put(prefix + "a", "1"), put(prefix + "b", "2")});
  Watched watched(fixture.other(), prefix);
  watched.expect({{prefix + "a", "1"}, {prefix + "b", "2"}});
  CHECK(watched.relists() == 1);
  CHECK(watched.changes().empty());
  CHECK(empty.changes().empty());
}

void tells_changes(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  Watched watched(fixture.other(), prefix);
  watched.expect({});
  const auto first = commit(state, {put(prefix + "a", "1"), put(prefix + "b", "1")});
  commit(state, {put("conformance/outside", "x")});
  const auto second = commit(state, {put(prefix + "a", "2")});
  const auto third = commit(state, {erase(prefix + "b"), put(prefix + "c", "")});
  const auto fourth = commit(state, {put(prefix + "b", "3")});
  watched.expect({{prefix + "a", "2"}, {prefix + "b", "3"}, {prefix + "c", ""}});
  watched.expect_revision(fourth);

  const auto changes = watched.changes();
  REQUIRE(changes.size() == 6);
  CHECK(changes[0].entry == StateEntry{prefix + "a", "1", first, first, 0});
  CHECK(changes[1].entry == StateEntry{prefix + "b", "1", first, first, 0});
  CHECK(changes[2].entry == StateEntry{prefix + "a", "2", first, second, 0});
  const bool erased_first = changes[3].erased;  // Within a transaction there is no order.
  const auto& erased = changes[erased_first ? 3 : 4];
  CHECK(erased.erased);
  CHECK(erased.entry.key == prefix + "b");
  CHECK(erased.entry.modified == third);
  CHECK(changes[erased_first ? 4 : 3].entry == StateEntry{prefix + "c", "", third, third, 0});
  CHECK(changes[5].entry == StateEntry{prefix + "b", "3", fourth, fourth, 0});
}

void under_writers(StateFixture& fixture) {
  constexpr int kWriters = 4;
  const auto prefix = fresh_prefix();
  std::atomic<int> faults = 0;
  std::vector<std::thread> writers;
  std::vector<std::unique_ptr<Watched>> watches;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      auto& state = writer % 2 == 0 ? fixture.state() : fixture.other();
      for (int i = 0; i < 60; ++i) {
        const auto key = prefix + fmt::format("{}/{}", writer, i % 7);
        const auto shared = prefix + "shared";
        const auto result =
            i % 5 == 4 ? state.commit({{}, {erase(key)}})
                       : state.commit({{}, {put(key, std::to_string(i)), put(shared, key)}});
        if (!result) ++faults;
      }
    });
  }
  // Begun while they write, at revisions of every kind.
  for (int i = 0; i < 4; ++i) {
    watches.push_back(std::make_unique<Watched>(fixture.other(), prefix));
    watches.push_back(std::make_unique<Watched>(fixture.state(), prefix + std::to_string(i)));
  }
  for (auto& writer : writers) writer.join();
  CHECK(faults == 0);
  for (int i = 0; i < 4; ++i) {
    watches[static_cast<std::size_t>(2 * i)]->expect(listed(fixture.state(), prefix));
    watches[static_cast<std::size_t>(2 * i + 1)]->expect(
        listed(fixture.state(), prefix + std::to_string(i)));
  }
}

void overlapping(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  Watched all(fixture.other(), prefix);
  Watched some(fixture.other(), prefix + "a/");
  Watched one(fixture.other(), prefix + "a/b");
  all.expect({});
  some.expect({});
  one.expect({});
  commit(state, {put(prefix + "a/a", "1"), put(prefix + "a/b", "2"), put(prefix + "c", "3")});
  const auto last = commit(state, {erase(prefix + "a/b")});
  all.expect_revision(last);
  some.expect_revision(last);
  one.expect_revision(last);
  CHECK(all.changes().size() == 4);
  CHECK(some.changes().size() == 3);
  CHECK(one.changes().size() == 2);
}

void sink_uses_state(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  std::atomic<int> faults = 0;
  auto& state = fixture.other();
  {
    // Each key below in/ is answered by one below out/, from within the sink.
    Watched watched(state, prefix + "in/", [&](const StateEvent& event) {
      const auto* changed = std::get_if<StateChanged>(&event);
      if (changed == nullptr) return;
      for (const auto& change : changed->changes) {
        const auto name = change.entry.key.substr(prefix.size() + 3);
        const auto read = state.get(change.entry.key);
        if (!read || !*read) ++faults;
        if (!state.commit({{}, {put(prefix + "out/" + name, change.entry.value)}})) ++faults;
      }
    });
    watched.expect({});
    Watched answers(fixture.state(), prefix + "out/");
    Entries expected;
    for (int i = 0; i < 10; ++i) {
      const auto text = std::to_string(i);
      commit(fixture.state(), {put(prefix + "in/" + text, text)});
      expected[prefix + "out/" + text] = text;
    }
    answers.expect(expected);
  }
  CHECK(faults == 0);
}

void ends_during_traffic(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  std::atomic<bool> done = false;
  std::atomic<int> faults = 0;
  std::thread writer([&] {
    for (int i = 0; !done; ++i) {
      if (!fixture.state().commit({{}, {put(prefix + "k", std::to_string(i))}})) ++faults;
    }
  });
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> over = false;
    std::mutex mutex;
    std::condition_variable heard;
    int events = 0;
    auto watch = fixture.other().watch(prefix, [&](const StateEvent&) {
      if (over) ++faults;  // After the watch was gone.
      const std::lock_guard lock(mutex);
      ++events;
      heard.notify_all();
    });
    {
      std::unique_lock lock(mutex);
      heard.wait_for(lock, kPatience, [&] { return events > i % 4; });
      CHECK(events > i % 4);
    }
    watch.reset();
    over = true;
  }
  done = true;
  writer.join();
  CHECK(faults == 0);
}

/// One watch that does nothing for a while holds up neither commits nor another watch, and learns
/// in the end what there is.
void slow_sink(StateFixture& fixture) {
  const auto prefix = fresh_prefix();
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;
  Watched slow(fixture.other(), prefix, [&](const StateEvent&) {
    std::unique_lock lock(mutex);
    opened.wait_for(lock, kPatience, [&] { return open; });
  });
  Watched quick(fixture.other(), prefix);
  quick.expect({});
  for (int i = 0; i < 600; ++i) {
    commit(fixture.state(), {put(prefix + std::to_string(i % 10), std::to_string(i))});
  }
  const auto entries = listed(fixture.state(), prefix);
  quick.expect(entries);
  {
    const std::lock_guard lock(mutex);
    open = true;
    opened.notify_all();
  }
  slow.expect(entries);
}

}  // namespace

std::vector<ConformanceRule> watch_rules() {
  return {
      {"A watch first lists what is there", lists_first},
      {"A watch tells each change once, in order, erasures too", tells_changes},
      {"Watches that begin among many writers miss and repeat nothing", under_writers},
      {"Watches on prefixes within each other tell each its part", overlapping},
      {"A sink may use the state", sink_uses_state},
      {"A watch that ended in the midst of changes is not heard again", ends_during_traffic},
      {"A slow sink holds up nobody and misses nothing", slow_sink},
  };
}

}  // namespace shoal
