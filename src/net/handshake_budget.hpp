// What may be spent on connections that have not proved yet whose they are. Each known address has
// an account of its own and all others share one: a flood takes nothing from who is known, and what
// it takes of the processor is bounded.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "base/ipv4.hpp"
#include "base/time.hpp"

namespace shamon {

class HandshakeBudget {
 public:
  using IsKnown = std::function<bool(IpAddress const&)>;
  /// The right to one handshake, from its beginning until this goes.
  using Ticket = std::shared_ptr<void>;

  explicit HandshakeBudget(IsKnown is_known) : is_known_(std::move(is_known)) {}
  /// Null: who is at that address has begun kHandshakesBurst of late, from when on
  /// kHandshakesPerSecond are left to it, or has kHandshakesRunningMax under way.
  Ticket take(IpAddress const& from, Instant now);

 private:
  struct Account;
  std::shared_ptr<Account> const& account_of(IpAddress const& from, Instant now);

  IsKnown is_known_;
  std::map<IpAddress, std::shared_ptr<Account>> known_;
  std::shared_ptr<Account> strangers_;
};

}  // namespace shamon
