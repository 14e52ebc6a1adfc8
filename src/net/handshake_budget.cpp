#include "net/handshake_budget.hpp"

#include <algorithm>

#include "net/limits.hpp"

namespace shamon {

namespace {
constexpr Duration kOneMore = Duration(std::chrono::seconds(1)) / kHandshakesPerSecond;
}

struct HandshakeBudget::Account {
  Instant spent_until;  ///< kOneMore for each that was begun; in the past: nothing is owed
  unsigned running = 0;

  bool idle(Instant now) const noexcept { return running == 0 && spent_until <= now; }
};

HandshakeBudget::Ticket HandshakeBudget::take(IpAddress const& from, Instant now) {
  std::shared_ptr<Account> const account = account_of(from, now);
  Instant const spent_until = std::max(account->spent_until, now) + kOneMore;
  if (spent_until > now + kHandshakesBurst * kOneMore) return nullptr;
  if (account->running >= kHandshakesRunningMax) return nullptr;
  account->spent_until = spent_until;
  ++account->running;
  return {account.get(), [account](void*) { --account->running; }};
}

std::shared_ptr<HandshakeBudget::Account> const& HandshakeBudget::account_of(IpAddress const& from,
                                                                             Instant now) {
  if (!is_known_ || !is_known_(from)) {
    if (!strangers_) strangers_ = std::make_shared<Account>();
    return strangers_;
  }
  // Those who are known change; only who has something going on needs to be remembered.
  if (known_.size() >= kHandshakeAccountsSwept && !known_.contains(from)) {
    std::erase_if(known_, [now](auto const& entry) { return entry.second->idle(now); });
  }
  std::shared_ptr<Account>& account = known_[from];
  if (!account) account = std::make_shared<Account>();
  return account;
}

}  // namespace shamon
