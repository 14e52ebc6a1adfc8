// Every message there is, by number; for fuzz targets and their corpora.
#pragma once

#include "coalition/messages/bridge.hpp"
#include "coalition/messages/channel.hpp"
#include "coalition/messages/join.hpp"
#include "coalition/messages/operator.hpp"
#include "coalition/messages/registration.hpp"
#include "coalition/messages/status.hpp"

namespace shamon {

/// Calls `use.operator()<Message>()` with the message of that number, or nothing.
template <class Use>
void with_message(std::uint8_t number, Use use) {
  switch (number) {
    case 0: return use.template operator()<EvidenceMessage>();
    case 1: return use.template operator()<ChallengeMessage>();
    case 2: return use.template operator()<Refusal>();
    case 3: return use.template operator()<RegisterRequest>();
    case 4: return use.template operator()<RegisterChallenge>();
    case 5: return use.template operator()<ActivateRequest>();
    case 6: return use.template operator()<Registered>();
    case 7: return use.template operator()<ChallengeRequest>();
    case 8: return use.template operator()<JoinRequest>();
    case 9: return use.template operator()<JoinAccepted>();
    case 10: return use.template operator()<EvidenceRequest>();
    case 11: return use.template operator()<EvidenceAccepted>();
    case 12: return use.template operator()<StatusChange>();
    case 13: return use.template operator()<Heartbeat>();
    case 14: return use.template operator()<FeedChallenge>();
    case 15: return use.template operator()<Acknowledgement>();
    case 16: return use.template operator()<VmReport>();
    case 17: return use.template operator()<FailureReport>();
    case 18: return use.template operator()<BridgeHello>();
    case 19: return use.template operator()<BridgeEvidence>();
    case 20: return use.template operator()<BridgeRefused>();
    case 21: return use.template operator()<BridgeChallenge>();
    case 22: return use.template operator()<BridgeAnswer>();
    case 23: return use.template operator()<HostList>();
    case 24: return use.template operator()<VmList>();
    case 25: return use.template operator()<AuthorityStatus>();
    case 26: return use.template operator()<RevokeRequest>();
    case 27: return use.template operator()<ReferenceValueList>();
    case 28: return use.template operator()<PolicyMessage>();
    case 29: return use.template operator()<EventList>();
    case 30: return use.template operator()<HostStatus>();
    case 31: return use.template operator()<AuditList>();
    case 32: return use.template operator()<Explanation>();
    case 33: return use.template operator()<ShareRequest>();
    case 34: return use.template operator()<ChannelList>();
  }
}
inline constexpr std::uint8_t kEveryMessageCount = 35;

}  // namespace shamon
