#pragma once

#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "orchestrator/state/etcd_client.h"
#include "orchestrator/state/etcd_messages.h"

namespace shoal {

/// Everything under a prefix as of one revision, in as many pages as that takes; the keys are
/// between `start` and `end` (EtcdRangeRequest), of which at most `limit` (0: all) are given.
[[nodiscard]] Result<StateList> list_all(EtcdClient& client, std::string_view prefix,
                                         std::string start, const std::string& end,
                                         std::size_t limit, EtcdCancel* cancel = nullptr);

/// The first key of the driver's `prefix` + `inner`, leaving out its own keys, which begin with a
/// byte of zero.
[[nodiscard]] std::string first_key(std::string_view prefix, std::string_view inner);

/// A watch on an etcd: lists at a revision, follows from there, and trusts no stream (see
/// reference: etcd's changelog of 3.4.24 to 3.4.31 has duplicated events, events that go back in
/// time and lost ones). What comes at or below the last revision seen is dropped; a broken stream
/// is resumed, on another server if need be; a compacted one, and every stream after `relist`
/// (some more by chance), is begun anew with a list, of which the sink hears if it shows anything
/// that the stream did not.
class EtcdWatch : public StateWatch {
 public:
  /// `client` must outlive it.
  EtcdWatch(EtcdClient& client, std::string prefix, std::string inner, State::Sink sink,
            std::chrono::seconds relist);
  ~EtcdWatch() override;

 private:
  using Time = EtcdClient::Time;

  void run();
  /// Lists; tells the sink when it must.
  [[nodiscard]] bool list();
  void follow(Time until);
  [[nodiscard]] bool hear(std::string_view line);
  void changed(std::vector<StateChange> changes);
  void tell(const StateEvent& event);
  [[nodiscard]] Time next_list();

  EtcdClient& client_;
  const std::string prefix_;  // The driver's.
  const std::string inner_;   // Of the watch, behind it.
  const State::Sink sink_;
  const std::chrono::seconds relist_;
  EtcdCancel cancel_;
  // Of the thread alone.
  std::map<std::string, Revision> known_;  // When each key was last written.
  Revision seen_ = 0;                      // 0: nothing was listed yet.
  bool lost_ = true;                       // A list is due.
  bool lived_ = false;                     // The stream began well.
  std::thread thread_;
};

}  // namespace shoal
