// A COSE_Sign1 as it comes and, because no mutation finds a signature, its payload signed by us and
// given to a member that follows the feed.
#include <cstdlib>

#include "base/encoding.hpp"
#include "coalition/feed.hpp"
#include "coalition/member.hpp"

namespace {

using namespace shamon;

PrivateKey const& key() {
  static PrivateKey const one = *PrivateKey::generate(KeyType::ecdsa_p256);
  return one;
}

/// A member up to its open feed; `feed` becomes the ticket of that.
Member following(member::Ticket& feed) {
  using namespace member;
  Member out(MemberConfig{HostName("shype1"), Bytes(1), Revision(0), 1});
  Instant const now{1};
  WallTime const wall{1000};
  JoinAccepted accepted;
  accepted.host = HostName("shype1");
  accepted.policy_revision = Revision(1);
  accepted.status_key = key().public_key().spki_der();
  ChallengeMessage challenge;
  challenge.nonce = Bytes(32, 1);
  // Tickets count from one, a step each.
  out.on(Start{}, now, wall);
  out.on(RegisterAnswer{1, RegisterChallenge{}}, now, wall);
  out.on(SecretReady{2, Bytes{}}, now, wall);
  out.on(ActivateAnswer{3, Registered{HostName("shype1"), ""}}, now, wall);
  out.on(ChallengeAnswer{4, challenge}, now, wall);
  out.on(QuoteReady{5, EvidenceMessage{}}, now, wall);
  out.on(JoinAnswer{6, accepted}, now, wall);
  for (Action const& action : out.on(PolicyApplied{Revision(1), {}}, now, wall)) {
    if (auto const* open = std::get_if<OpenFeed>(&action)) feed = open->ticket;
  }
  if (feed == 0) std::abort();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  ByteView const input(data, size);
  if (verify_statement(kChangeContentType, input, key().public_key())) std::abort();
  if (size == 0) return 0;
  struct Kind {
    char const* name;
    std::string_view type;
  };
  static constexpr Kind kKinds[] = {{"change", kChangeContentType},
                                    {"heartbeat", kHeartbeatContentType},
                                    {"challenge", kChallengeContentType}};
  Kind const& kind = kKinds[data[0] % 3];
  auto const statement = sign_statement(kind.type, input.subspan(1), key());
  if (!statement) std::abort();
  member::Ticket feed = 0;
  Member machine = following(feed);
  std::string const text = to_base64(*statement);
  machine.on(member::FeedEvent{feed, kind.name, text}, Instant{2}, WallTime{2000});
  machine.on(member::FeedEvent{feed, kind.name, text}, Instant{3}, WallTime{2001});
  machine.on(member::Timer{}, Instant{4}, WallTime{2002});
  return 0;
}
