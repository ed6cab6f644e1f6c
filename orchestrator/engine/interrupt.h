#pragma once

#include <chrono>
#include <functional>
#include <list>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace shoal {

namespace asio = boost::asio;

/// Ends what its owner no longer wants: the calls that were given it end soon with unavailable, and
/// later ones at once. For good. One thread, that of the executor on which those calls run; must
/// outlive them.
class Interrupt {
 public:
  void raise();
  [[nodiscard]] bool raised() const { return raised_; }

  /// False if it was raised before the time was over.
  [[nodiscard]] asio::awaitable<bool> sleep(asio::any_io_executor executor,
                                            std::chrono::steady_clock::duration time);

  /// Calls `end` when the interrupt is raised, as long as the guard lives; at once if it already
  /// is. A null interrupt is one that nobody raises.
  class Guard {
   public:
    Guard(Interrupt* interrupt, std::function<void()> end);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Interrupt* const interrupt_;
    std::list<std::function<void()>>::iterator place_;
  };

 private:
  bool raised_ = false;
  std::list<std::function<void()>> ends_;
};

}  // namespace shoal
