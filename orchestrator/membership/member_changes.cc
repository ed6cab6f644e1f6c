#include "orchestrator/membership/member_changes.h"

#include <functional>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "orchestrator/keys.h"
#include "registry/rfc3339.h"
#include "storage/clock.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

// A record is written by its node and by people: two that collide this often do so on purpose.
constexpr int kRoundsMax = 20;

std::string when_json() { return Json{{"time", rfc3339(Clock::system().now())}}.dump(); }

/// Commits what `make` makes of the member's entry, again when that changed meanwhile.
using Make = std::function<Result<Transaction>(const StateEntry&)>;
Result<void> change(State& state, const std::string& id, const Make& make) {
  const auto key = state_keys::node(id);
  Error last{Errc::conflict, fmt::format("the record of {} changes all the time; try again", id)};
  for (int round = 0; round < kRoundsMax; ++round) {
    const auto entry = state.get(key);
    if (!entry) return tl::unexpected(entry.error());
    if (!*entry) return fail(Errc::member_unknown, fmt::format("there is no node `{}`", id));
    auto transaction = make(**entry);
    if (!transaction) return tl::unexpected(transaction.error());
    transaction->conditions.push_back(Condition::unchanged(**entry));
    const auto done = state.commit(*transaction);
    if (done) return {};
    if (done.error().code != Errc::conflict) return tl::unexpected(done.error());
  }
  return tl::unexpected(last);
}

}  // namespace

Result<Member> label_member(State& state, const std::string& id, const LabelChanges& changes) {
  for (const auto& [key, value] : changes) {
    if (auto checked = check_label(key, value.value_or("")); !checked) {
      return tl::unexpected(checked.error());
    }
  }
  Member labelled;
  const auto make = [&](const StateEntry& entry) -> Result<Transaction> {
    auto member = parse_member(entry.value);
    if (!member) return tl::unexpected(member.error());
    for (const auto& [key, value] : changes) {
      if (value) member->labels[key] = *value;
      if (!value) member->labels.erase(key);
    }
    if (member->labels.size() > kMemberLabelsMax) {
      return fail(Errc::bad_request, fmt::format("a node has at most {} labels", kMemberLabelsMax));
    }
    labelled = *std::move(member);
    return Transaction{{}, {StateWrite{entry.key, to_json(labelled), 0}}};
  };
  if (const auto changed = change(state, id, make); !changed) {
    return tl::unexpected(changed.error());
  }
  return labelled;
}

Result<void> drain_member(State& state, const std::string& id, bool on) {
  const auto make = [&](const StateEntry&) -> Result<Transaction> {
    const auto value = on ? std::optional(when_json()) : std::nullopt;
    return Transaction{{}, {StateWrite{state_keys::drain(id), value, 0}}};
  };
  return change(state, id, make);
}

Result<void> remove_member(State& state, const std::string& id) {
  const auto make = [&](const StateEntry& entry) -> Result<Transaction> {
    const auto member = parse_member(entry.value);
    if (member && (member->holds_state || member->authority)) {
      return fail(Errc::conflict, fmt::format("{} cannot be removed: the cluster's {} is on it", id,
                                              member->holds_state ? "state" : "authority"));
    }
    return Transaction{
        {},
        {StateWrite{state_keys::removed(id), when_json(), 0},
         StateWrite{entry.key, std::nullopt, 0}, StateWrite{state_keys::live(id), std::nullopt, 0},
         StateWrite{state_keys::drain(id), std::nullopt, 0}}};
  };
  const auto removed = change(state, id, make);
  if (removed) {
    spdlog::info("node removed node={}", id);
    return {};
  }
  if (removed.error().code != Errc::member_unknown) return removed;
  const auto before = state.get(state_keys::removed(id));
  if (!before) return tl::unexpected(before.error());
  return *before ? Result<void>() : removed;
}

}  // namespace shoal
