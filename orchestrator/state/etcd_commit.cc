#include "orchestrator/state/etcd_commit.h"

#include <array>
#include <random>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "orchestrator/state/etcd_messages.h"

namespace shoal {
namespace {

using std::chrono::steady_clock;

// Far above the timeout of a call, so that no receipt ends while it is needed.
constexpr std::chrono::seconds kLeaseTtl{300};
constexpr std::chrono::seconds kLeaseBeat{60};

std::string random_number() {
  static thread_local std::random_device device;
  std::array<unsigned, 4> words{};
  for (auto& word : words) word = device();
  return fmt::format("{:08x}", fmt::join(words, ""));
}

}  // namespace

EtcdCommits::EtcdCommits(EtcdClient& client, std::string prefix)
    : client_(client), prefix_(std::move(prefix)), name_(random_number()) {}

EtcdCommits::Receipt EtcdCommits::take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) {
    // Never written under any lease.
    return {fmt::format("{}receipt/{}/{}", '\0', name_, created_++), 0, lease_round_};
  }
  auto receipt = std::move(idle_.back());
  idle_.pop_back();
  return receipt;
}

void EtcdCommits::give_back(Receipt receipt) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(receipt));
}

Result<LeaseId> EtcdCommits::lease(Receipt& receipt, Time deadline) {
  LeaseId known = 0;
  std::uint64_t round = 0;
  bool fresh = false;
  {
    const std::lock_guard lock(mutex_);
    known = lease_;
    round = lease_round_;
    fresh = known != 0 && steady_clock::now() < lease_kept_ + kLeaseBeat;
  }
  if (!fresh) {
    const auto asked = steady_clock::now();
    bool alive = false;
    if (known != 0) {
      const auto answer = client_.call("lease/keepalive", lease_request(known),
                                       EtcdClient::Repeat::always, deadline);
      if (!answer && answer.error().error.code != Errc::lease_lost) {
        return tl::unexpected(answer.error().error);
      }
      if (answer) {
        const auto kept = parse_keepalive(*answer);
        if (!kept) return tl::unexpected(kept.error());
        alive = *kept;
      }
    }
    LeaseId granted = known;
    if (!alive) {
      const auto answer = client_.call("lease/grant", grant_request(kLeaseTtl.count()),
                                       EtcdClient::Repeat::always, deadline);
      if (!answer) return tl::unexpected(answer.error().error);
      const auto parsed = parse_grant(*answer);
      if (!parsed) return parsed;
      granted = *parsed;
    }
    const std::lock_guard lock(mutex_);
    if (lease_round_ == round) {  // Else another thread was faster: its lease is as good.
      if (granted != known) ++lease_round_;
      lease_ = granted;
      lease_kept_ = asked;
    }
    known = lease_;
    round = lease_round_;
  }
  // A receipt that hung on an older lease may have ended with it, or may be about to.
  if (receipt.lease_round != round && receipt.revision != Revision{0}) receipt.revision.reset();
  receipt.lease_round = round;
  return known;
}

Result<void> EtcdCommits::read(Receipt& receipt, Time deadline) {
  const auto answer = client_.call("kv/range", range_request({prefix_ + receipt.key, "", 0, 0}),
                                   EtcdClient::Repeat::always, deadline);
  if (!answer) return tl::unexpected(answer.error().error);
  const auto range = parse_range(*answer, prefix_);
  if (!range) return tl::unexpected(range.error());
  receipt.revision = range->entries.empty() ? 0 : range->entries.front().modified;
  return {};
}

Result<Revision> EtcdCommits::settle(Receipt& receipt, const std::string& number, LeaseId lease,
                                     Time deadline) {
  Transaction transaction;
  const Condition unmoved{receipt.key, Condition::Field::modified, *receipt.revision};
  transaction.conditions.push_back(unmoved);
  transaction.writes.push_back({receipt.key, random_number(), lease});
  const Revision before = *receipt.revision;
  receipt.revision.reset();  // Until it is known again.
  const auto answer = client_.call("kv/txn", txn_request(transaction, prefix_, receipt.key),
                                   EtcdClient::Repeat::always, deadline);
  if (!answer) return tl::unexpected(answer.error().error);
  const auto txn = parse_txn(*answer, prefix_);
  if (!txn) return tl::unexpected(txn.error());
  if (txn->succeeded) {
    receipt.revision = txn->revision;
    return 0;
  }
  if (!txn->found) {
    if (before == 0) return fail(Errc::io, "the answer contradicts itself");
    return fail(Errc::unavailable, "the receipt is gone");  // Its lease was ended by somebody.
  }
  receipt.revision = txn->found->modified;
  if (txn->found->value == number) return txn->found->modified;
  return 0;  // It moved by an earlier attempt at this very look, whose answer was lost.
}

Result<Revision> EtcdCommits::commit(const Transaction& transaction, Receipt& receipt) {
  const auto deadline = client_.deadline();
  for (;;) {
    const auto lease = this->lease(receipt, deadline);
    if (!lease) return lease;
    if (!receipt.revision) {
      if (auto done = read(receipt, deadline); !done) return tl::unexpected(done.error());
    }
    const auto number = random_number();
    const Revision before = *receipt.revision;
    auto whole = transaction;
    whole.conditions.push_back({receipt.key, Condition::Field::modified, before});
    whole.writes.push_back({receipt.key, number, *lease});

    auto answer = client_.call("kv/txn", txn_request(whole, prefix_, receipt.key),
                               EtcdClient::Repeat::unless_sent, deadline);
    Error trouble{};
    if (answer) {
      const auto txn = parse_txn(*answer, prefix_);
      if (txn && txn->succeeded) {
        receipt.revision = txn->revision;
        return txn->revision;
      }
      if (txn) {
        const Revision now = txn->found ? txn->found->modified : 0;
        if (now == before) return fail(Errc::conflict, "what the change depends on has changed");
        // HttpClient sends anew on a fresh connection when a kept one turns out to be closed; so
        // may a proxy. The first copy took place.
        if (txn->found && txn->found->value == number) {
          receipt.revision = now;
          return now;
        }
        // The receipt ended before (a long sleep of this machine, a revoked lease), so no copy of
        // this request took place, nor will: its condition is gone for good.
        receipt.revision.reset();
        continue;
      }
      trouble = txn.error();
    } else if (!answer.error().unsure) {
      if (answer.error().error.code != Errc::lease_lost) {
        return tl::unexpected(answer.error().error);
      }
      // The lease of the transaction's own writes, or that of the receipt?
      const auto kept = client_.call("lease/keepalive", lease_request(*lease),
                                     EtcdClient::Repeat::always, deadline);
      if (!kept) return tl::unexpected(kept.error().error);
      const auto alive = parse_keepalive(*kept);
      if (!alive) return tl::unexpected(alive.error());
      if (*alive) return fail(Errc::lease_lost, "the lease of the written keys has ended");
      const std::lock_guard lock(mutex_);
      if (lease_ == *lease) lease_ = 0;
      continue;
    } else {
      trouble = answer.error().error;
    }

    const auto settled = settle(receipt, number, *lease, deadline);
    spdlog::warn("etcd transaction broke off reason=\"{}\" outcome={}", trouble.message,
                 !settled        ? "unknown"
                 : *settled == 0 ? "not done"
                                 : "done");
    if (!settled) {
      return fail(Errc::outcome_unknown,
                  fmt::format("nobody can tell whether it was written: {}; then {}",
                              trouble.message, settled.error().message));
    }
    if (*settled != 0) return settled;
  }
}

Result<Revision> EtcdCommits::look(const Transaction& transaction) {
  const auto answer = client_.call("kv/txn", txn_request(transaction, prefix_, ""),
                                   EtcdClient::Repeat::always, client_.deadline());
  if (!answer) return tl::unexpected(answer.error().error);
  const auto txn = parse_txn(*answer, prefix_);
  if (!txn) return tl::unexpected(txn.error());
  if (!txn->succeeded) return fail(Errc::conflict, "what the change depends on has changed");
  return txn->revision;
}

Result<Revision> EtcdCommits::commit(const Transaction& transaction) {
  if (auto valid = check(transaction); !valid) return tl::unexpected(valid.error());
  if (transaction.writes.empty()) return look(transaction);  // May be asked any number of times.
  auto receipt = take();
  auto result = commit(transaction, receipt);
  give_back(std::move(receipt));
  return result;
}

}  // namespace shoal
