#include "orchestrator/trust/tokens.h"

#include <map>
#include <utility>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "orchestrator/keys.h"
#include "registry/rfc3339.h"
#include "storage/digest.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;

// Expired tokens are kept so long, to be called expired and not unknown.
constexpr std::chrono::seconds kExpiredKept{24 * 3600};
// Each round that fails with conflict is one in which another join succeeded.
constexpr int kRoundsMax = 1000;

struct TokenRecord {
  std::string secret_digest;  // `sha256:...`
  UnixTime expires{};
  unsigned uses_left = 0;
  std::map<std::string, std::string> joined;  // Node id -> SHA-256 of the key it came with.
};

std::string to_json(const TokenRecord& record) {
  return Json{{"secret", record.secret_digest},
              {"expires", rfc3339(record.expires)},
              {"uses_left", record.uses_left},
              {"joined", record.joined}}
      .dump();
}

Result<TokenRecord> parse_record(const StateEntry& entry) {
  const auto json = Json::parse(entry.value, nullptr, false);
  const auto text = [&json](const char* name) {
    const auto field = json.find(name);
    return field != json.end() && field->is_string() ? field->get<std::string>() : std::string();
  };
  const auto damaged = [&] {
    return fail(Errc::corrupt, fmt::format("the state's entry `{}` is not a token's", entry.key));
  };
  if (!json.is_object()) return damaged();
  TokenRecord record;
  record.secret_digest = text("secret");
  const auto expires = parse_rfc3339(text("expires"));
  const auto uses = json.find("uses_left");
  const auto joined = json.find("joined");
  if (!expires || uses == json.end() || !uses->is_number_unsigned()) return damaged();
  record.expires = *expires;
  record.uses_left = uses->get<unsigned>();
  if (joined == json.end() || !joined->is_object()) return record;
  for (const auto& [id, key] : joined->items()) {
    if (key.is_string()) record.joined[id] = key.get<std::string>();
  }
  return record;
}

bool is_secret(const TokenRecord& record, const std::string& secret) {
  const auto digest = Digest::of(secret).to_string();
  return digest.size() == record.secret_digest.size() &&
         CRYPTO_memcmp(digest.data(), record.secret_digest.data(), digest.size()) == 0;
}

}  // namespace

Tokens::Tokens(State& state, std::string authority_sha256, const Clock& clock)
    : state_(state), authority_sha256_(std::move(authority_sha256)), clock_(clock) {}

Result<Tokens::Created> Tokens::create(std::chrono::seconds ttl, unsigned uses) {
  if (ttl.count() < 1 || ttl > kTokenTtlMax) {
    return fail(Errc::bad_request, fmt::format("a token lives from 1 s to {} days, not {} s",
                                               kTokenTtlMax.count() / 86'400, ttl.count()));
  }
  if (uses < 1 || uses > kTokenUsesMax) {
    return fail(Errc::bad_request,
                fmt::format("a token is good for 1 to {} uses, not {}", kTokenUsesMax, uses));
  }
  if (const auto swept = sweep(); !swept) return tl::unexpected(swept.error());
  auto token = JoinToken::make(authority_sha256_);
  if (!token) return tl::unexpected(token.error());
  const TokenRecord record{Digest::of(token->secret).to_string(), clock_.now() + ttl, uses, {}};
  const auto key = state_keys::token(token->id);
  const auto written =
      state_.commit({{Condition::absent(key)}, {StateWrite{key, to_json(record), 0}}});
  if (!written) return tl::unexpected(written.error());
  spdlog::info("join token created token={} uses={} expires={}", token->id, uses,
               rfc3339(record.expires));
  return Created{*std::move(token), record.expires};
}

Result<void> Tokens::redeem(const JoinToken& token, const Joiner& joiner,
                            const std::vector<Condition>& conditions,
                            const std::vector<StateWrite>& writes) {
  if (token.authority_sha256 != authority_sha256_) {
    return fail(Errc::denied, "the join token is one of another cluster");
  }
  const auto key = state_keys::token(token.id);
  Revision refused_at = 0;
  for (int round = 0; round < kRoundsMax; ++round) {
    const auto entry = state_.get(key);
    if (!entry) return tl::unexpected(entry.error());
    if (!*entry) {
      return fail(Errc::denied,
                  "the join token is unknown: the cluster never made it, or it expired long ago");
    }
    auto record = parse_record(**entry);
    if (!record) return tl::unexpected(record.error());
    if (!is_secret(*record, token.secret)) {
      return fail(Errc::denied,
                  "the join token is forged: its secret is not the one it was made "
                  "with");
    }
    if (record->expires <= clock_.now()) {
      return fail(Errc::denied, fmt::format("the join token expired on {}: make another one with "
                                            "`shoal token create`",
                                            rfc3339(record->expires)));
    }
    const auto before = record->joined.find(joiner.node_id);
    if (before != record->joined.end()) {
      if (before->second == joiner.key_sha256) return {};
      return fail(Errc::conflict, "another node joined as " + joiner.node_id);
    }
    if (record->uses_left == 0) {
      return fail(Errc::denied,
                  "the join token is used up: make another one with "
                  "`shoal token create`");
    }
    // Nobody touched the token since: then it was one of the caller's conditions.
    if (refused_at == (*entry)->modified) {
      return fail(Errc::conflict, "the id " + joiner.node_id + " is taken");
    }
    --record->uses_left;
    record->joined[joiner.node_id] = joiner.key_sha256;
    Transaction transaction{conditions, writes};
    transaction.conditions.push_back(Condition::unchanged(**entry));
    transaction.writes.push_back({key, to_json(*record), 0});
    const auto done = state_.commit(transaction);
    if (done) return {};
    const auto code = done.error().code;
    if (code == Errc::conflict) refused_at = (*entry)->modified;
    // Of an unknown outcome, the token itself tells.
    if (code != Errc::conflict && code != Errc::outcome_unknown) {
      return tl::unexpected(done.error());
    }
  }
  return fail(Errc::too_many, "too many nodes join with this token at once; try again");
}

Result<void> Tokens::sweep() {
  std::size_t kept = 0;
  std::string after;
  for (bool more = true; more;) {
    const auto page = state_.list(state_keys::kTokens, after, kStateWritesMax);
    if (!page) return tl::unexpected(page.error());
    Transaction transaction;
    for (const auto& entry : page->entries) {
      after = entry.key;
      const auto record = parse_record(entry);
      const bool old = record && record->expires + kExpiredKept <= clock_.now();
      if (old) transaction.writes.push_back({entry.key, std::nullopt, 0});
      kept += old ? 0 : 1;
    }
    more = page->more;
    if (transaction.writes.empty()) continue;
    if (const auto erased = state_.commit(transaction); !erased) {
      return tl::unexpected(erased.error());
    }
  }
  if (kept < kTokensMax) return {};
  return fail(Errc::too_many, fmt::format("the cluster has {} join tokens; wait until some of them "
                                          "expire",
                                          kept));
}

}  // namespace shoal
