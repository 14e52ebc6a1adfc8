// T14: the peers of one real shamond. Each is a member of its own: a software TPM with an EK
// certificate of the laboratory's endorser and the measured log of the laboratory's machine,
// registered with and accepted by the real authority, whose challenges it answers. It then opens an
// association with the real shamond over a connection of its own, shows proof and evidence, and
// answers its challenges. It asks shamond for no evidence: one TPM does not quote for a thousand.
//   usage: peer_load --authority A:P --ca FILE --endorser FOLDER --event-log FILE
//                    --shamond A:P --label NAME --peers N
// Says "peers K" when half and when all associations are open, then answers on until it is ended.
#include <cstdio>
#include <map>
#include <stdexcept>

#include "attestation/measured_log.hpp"
#include "attestation/soft_tpm.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/ipv4_text.hpp"
#include "coalition/bridge.hpp"
#include "coalition/feed.hpp"
#include "coalition/limits.hpp"
#include "coalition/messages/join.hpp"
#include "coalition/messages/registration.hpp"
#include "net/http.hpp"
#include "net/tls_stream.hpp"

namespace {

using namespace shamon;

constexpr Duration kPatience = std::chrono::seconds(30);
/// Each peer has a control and a tunnel address of its own, which nobody needs to reach.
constexpr std::uint32_t kFirstAddress = 0x0a5b0001;  // 10.91.0.1

template <class T>
T take(Result<T> result, std::string const& what) {
  if (!result) throw std::runtime_error(what + ": " + result.error().describe());
  return std::move(*result);
}
void check(Status const& status, std::string const& what) {
  if (!status) throw std::runtime_error(what + ": " + status.error().describe());
}

struct Arguments {
  std::map<std::string, std::string> named;
  std::string const& operator[](std::string const& name) const {
    auto const found = named.find(name);
    if (found == named.end()) throw std::runtime_error("--" + name + " is missing");
    return found->second;
  }
  Endpoint endpoint(std::string const& name) const {
    auto const at = parse_endpoint((*this)[name]);
    if (!at) throw std::runtime_error("--" + name + ": not ADDRESS:PORT");
    return *at;
  }
};

/// What all peers share: whom they talk to, who vouches for their TPMs, what they booted.
struct Ground {
  EventLoop loop;
  Endpoint authority, shamond;
  LabelName label;
  Certificate ca, endorser;
  PrivateKey endorser_key;
  std::string log_path;
  EventLog log;
  HttpClient stranger;

  explicit Ground(Arguments const& arguments)
      : authority(arguments.endpoint("authority")),
        shamond(arguments.endpoint("shamond")),
        label(arguments["label"]),
        ca(certificate(arguments["ca"])),
        endorser(certificate(arguments["endorser"] + "/issuercert.pem")),
        endorser_key(take(PrivateKey::from_pem(text(arguments["endorser"] + "/signkey.pem")),
                          "endorser's key")),
        log_path(arguments["event-log"]),
        log(take(parse_event_log(take(read_file(log_path), log_path)), log_path)),
        stranger(loop, TlsTarget{authority, context({})}) {}

  static std::string text(std::string const& path) { return take(read_text_file(path), path); }
  static Certificate certificate(std::string const& path) {
    return take(Certificate::from_pem(text(path)), path);
  }
  std::shared_ptr<TlsContext const> context(TlsIdentity identity) const {
    TlsOptions options;
    options.identity = std::move(identity);
    options.trusted_roots = {ca};
    return take(TlsContext::create(std::move(options)), "TLS");
  }
};

template <class Reply, class Request>
Reply ask(HttpClient& client, std::string const& path, Request const& request) {
  auto const answer = take(client.call_and_wait({"POST", path, encode_json(request)}), path);
  if (answer.status != 200) throw std::runtime_error(path + ": " + answer.body);
  return take(decode_json<Reply>(answer.body), path);
}

class Peer {
 public:
  Peer(Ground& ground, std::uint32_t number)
      : ground_(ground),
        number_(number),
        name_("peer" + std::to_string(number)),
        tls_key_(take(PrivateKey::generate(KeyType::ecdsa_p256), "key")) {
    WallTime const now = read_wall_clock();
    check(tpm_.issue_ek_certificate(kEk, name_.value() + " EK", ground.endorser,
                                    ground.endorser_key, now + -kDay, now + kDay),
          "EK certificate");
    ak_ = take(tpm_.create_ak(KeyType::ecdsa_p256), "AK");
    for (BootEvent const& event : ground.log.events) {
      if (event.type == static_cast<std::uint32_t>(EventType::no_action)) continue;
      check(tpm_.extend(event.pcr, event.digests), "measured boot");
    }
  }

  /// Becomes a member and follows the feed.
  void join() {
    auto const asked = ask<RegisterChallenge>(ground_.stranger, "/v1/register", registration());
    auto secret =
        take(tpm_.activate_credential(kEk, ak_, {asked.id_object, asked.encrypted_secret}),
             "credential");
    ask<Registered>(ground_.stranger, "/v1/activate",
                    ActivateRequest{name_, asked.id, std::move(secret)});
    auto const challenge =
        ask<ChallengeMessage>(ground_.stranger, "/v1/challenge", ChallengeRequest{name_});
    Bytes const tls_public = tls_key_.public_key().spki_der();
    auto accepted = ask<JoinAccepted>(
        ground_.stranger, "/v1/join",
        JoinRequest{name_, challenge.nonce, tls_public,
                    evidence(challenge, join_qualifying_data(challenge.nonce, tls_public))});
    std::vector<Certificate> chain;
    for (auto const& pem : accepted.membership_chain) {
      chain.push_back(take(Certificate::from_pem(pem), "membership certificate"));
    }
    tls_ = ground_.context({std::move(chain), tls_key_});
    status_key_ = take(PublicKey::from_spki_der(accepted.status_key), "status key");
    follow(accepted.revision);
    for (auto const& member : accepted.members) {
      if (member.control == ground_.shamond) shamond_ = member.host;
    }
    accepted.members.clear();  // a thousand directories of a thousand are not for this program
    accepted_ = std::move(accepted);
  }

  void associate() {
    connection_ = connect_frames(ground_.loop, ground_.shamond, tls_, kPatience);
    machine_.emplace(bridge_config(), ground_.loop.now());
    connection_->set_handlers(
        {[this] { deliver(bridge::HandshakeDone{shamond_}); },
         [this](ByteView frame) { deliver(bridge::FrameReceived{to_bytes(frame)}); },
         [this](Error const& error) { deliver(bridge::ConnectionLost{error.describe()}); }});
  }

  bool open() const { return open_; }
  bool ended() const { return machine_ && machine_->state() == BridgeState::closed; }
  std::string why() const { return name_.value() + ": " + machine_->reason_text(); }

 private:
  static constexpr KeyType kEk = KeyType::ecdsa_p256;
  static constexpr Duration kDay = std::chrono::hours(24);

  RegisterRequest registration() {
    RegisterRequest out;
    out.host = name_;
    out.ek_certificate = take(tpm_.ek_certificate(kEk), "EK certificate")->der();
    out.ek_intermediates = {ground_.endorser.der()};
    out.ek_public = take(tpm_.ek_public(kEk), "EK");
    out.ak_public = ak_.public_area;
    out.platform = "lab";
    out.location = "lab";
    out.control = {Ipv4{kFirstAddress + number_}, 7443};
    out.tunnel = {Ipv4{kFirstAddress + number_}, 4500};
    return out;
  }

  EvidenceMessage evidence(ChallengeMessage const& asked, ByteView qualifying) {
    tpm_.advance_clock(5);
    return to_message(
        take(collect_evidence(tpm_, ak_, to_challenge(asked, qualifying), {ground_.log_path, ""}),
             "evidence"));
  }

  void follow(Revision from) {
    client_.emplace(ground_.loop, TlsTarget{ground_.authority, tls_});
    HttpCall call;
    call.target = "/v1/feed?from=" + std::to_string(from.value());
    feed_ = client_->follow(
        call, [this](ServerSentEvent const& event) { on_feed(event); },
        [this](Error const& error) { lost("its feed", error.describe()); });
  }

  /// What others become is nothing to it: it needs the challenges alone.
  void on_feed(ServerSentEvent const& event) {
    if (event.name != "challenge") return;
    auto const statement = take(read_feed_event(event.name, event.data, *status_key_), "feed");
    auto const* asked = std::get_if<FeedChallenge>(&statement);
    if (asked == nullptr) return;
    ChallengeMessage const& challenge = asked->challenge;
    EvidenceRequest const request{name_, challenge.nonce, evidence(challenge, challenge.nonce)};
    client_->call({"POST", "/v1/evidence", encode_json(request)},
                  [this](Result<HttpResponse> const& answer) {
                    if (!answer) lost("its evidence", answer.error().describe());
                    if (answer && answer->status != 200) lost("its evidence", answer->body);
                  });
  }

  BridgeConfig bridge_config() {
    BridgeConfig config;
    config.role = BridgeRole::initiator;
    config.self = name_;
    config.peer = shamond_;
    config.label = ground_.label;
    config.policy_revision = accepted_.policy_revision;
    config.want = "authority";
    config.ciphers = known_aead_algorithms(accepted_.ciphers);
    config.proof = accepted_.proof;
    config.challenge_period = kDay;
    config.exporter = [raw = connection_.get()](std::string_view label, ByteView context,
                                                std::size_t bytes) {
      return raw->tls().export_keying_material(label, context, bytes);
    };
    config.random = [](std::size_t size) { return random_bytes(size); };
    config.new_spi = [spi = kEspLanesMax * (16 + number_)] { return spi; };
    return config;
  }

  void deliver(bridge::Event event) {
    for (auto& action : machine_->on(std::move(event), ground_.loop.now(), read_wall_clock())) {
      if (auto* send = std::get_if<bridge::SendFrame>(&action)) {
        connection_->send(send->frame);
      } else if (auto* quote = std::get_if<bridge::MakeQuote>(&action)) {
        deliver(
            bridge::QuoteReady{quote->ticket, evidence(quote->challenge, quote->qualifying_data)});
      } else if (auto* verify = std::get_if<bridge::VerifyProof>(&action)) {
        deliver(bridge::ProofVerdict{verify->ticket, {}});  // shamond is what is measured
      } else if (auto* needed = std::get_if<bridge::AnswerNeeded>(&action)) {
        answer(*needed);
      } else if (std::get_if<bridge::OpenAssociation>(&action) != nullptr) {
        open_ = true;
      } else if (auto* close = std::get_if<bridge::CloseConnection>(&action)) {
        lost("its association", close->text);
      }
    }
  }
  void answer(bridge::AnswerNeeded const& needed) {
    BridgeAnswer out;
    out.sequence = needed.challenge.sequence;
    out.host = evidence(needed.challenge.host, needed.host_qualifying_data);
    deliver(bridge::AnswerReady{needed.ticket, std::move(out)});
  }
  void lost(char const* what, std::string const& why) const {
    std::fprintf(stderr, "%s lost %s: %s\n", name_.value().c_str(), what, why.c_str());
  }

  Ground& ground_;
  std::uint32_t number_;
  HostName name_, shamond_;
  PrivateKey tls_key_;
  SoftTpm tpm_;
  AttestationKey ak_;
  JoinAccepted accepted_;
  std::shared_ptr<TlsContext const> tls_;
  std::optional<PublicKey> status_key_;
  std::optional<HttpClient> client_;
  std::shared_ptr<void> feed_;
  std::shared_ptr<FrameConnection> connection_;
  std::optional<Bridge> machine_;
  bool open_ = false;
};

void say(std::size_t peers) {
  std::printf("peers %zu\n", peers);
  std::fflush(stdout);
}

int run(Arguments const& arguments) {
  std::size_t const count = std::strtoul(arguments["peers"].c_str(), nullptr, 10);
  Ground ground(arguments);
  std::vector<std::unique_ptr<Peer>> peers;
  while (peers.size() < count) {
    peers.push_back(std::make_unique<Peer>(ground, static_cast<std::uint32_t>(peers.size())));
    Peer& peer = *peers.back();
    peer.join();
    // shamond hears of its new peer by the feed: a moment later than the peer itself.
    ground.loop.run_until([] { return false; }, std::chrono::milliseconds(20));
    peer.associate();
    ground.loop.run_until([&] { return peer.open() || peer.ended(); }, kPatience);
    if (!peer.open())
      throw std::runtime_error(peer.ended() ? peer.why() : "no association in time");
    if (peers.size() == count / 2) {
      ground.loop.run_until([] { return false; }, std::chrono::seconds(1));
      say(peers.size());
      ground.loop.run_until([] { return false; }, std::chrono::seconds(1));
    }
  }
  say(count);
  ground.loop.run();
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    Arguments arguments;
    for (int i = 1; i + 1 < count; i += 2) {
      arguments.named[std::string(words[i]).substr(2)] = words[i + 1];
    }
    return run(arguments);
  } catch (std::exception const& problem) {
    std::fprintf(stderr, "peer_load: %s\n", problem.what());
    return 1;
  }
}
