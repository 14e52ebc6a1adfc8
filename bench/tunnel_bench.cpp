// T12: how long two hosts with warm proofs take from "connect" to keys on both ends. Both ends run
// here, over TCP on loopback, with the negotiation of the daemons: mutual TLS 1.3, proof of
// acceptance verified, keys exported. TPM time is not in it: this is the set-up under `demand =
// "authority"`.  usage: tunnel_bench [ROUNDS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "attestation/ear.hpp"
#include "base/clock.hpp"
#include "coalition/bridge.hpp"
#include "coalition/limits.hpp"
#include "net/tls_stream.hpp"

namespace {

using namespace shamon;

struct World {
  PrivateKey ca_key = PrivateKey::generate(KeyType::ecdsa_p256).value();
  Certificate ca = make_ca();
  PrivateKey status_key = PrivateKey::generate(KeyType::ecdsa_p256).value();

  static WallTime later(std::int64_t seconds) {
    return {read_wall_clock().unix_ms + seconds * 1000};
  }
  Certificate make_ca() const {
    CertificateTemplate what;
    what.common_name = "bench coalition";
    what.is_ca = true;
    what.not_before = later(-60);
    what.not_after = later(3600);
    return issue_self_signed(what, ca_key).value();
  }
  std::shared_ptr<TlsContext const> tls(TlsRole role, std::string const& host) const {
    PrivateKey const key = PrivateKey::generate(KeyType::ecdsa_p256).value();
    CertificateTemplate what;
    what.common_name = host;
    what.dns_names = {host};
    what.uris = {"shamon://bench/host/" + host};
    what.not_before = later(-60);
    what.not_after = later(600);
    Certificate const leaf = issue_certificate(what, key.public_key(), ca, ca_key).value();
    return TlsContext::create({role, {{leaf, ca}, key}, {ca}, true, ""}).value();
  }
  std::string proof(std::string const& host) const {
    EarClaims claims;
    claims.issued_at = later(-1);
    claims.expires_at = later(600);
    claims.verifier_developer = "shamon";
    claims.verifier_build = "bench";
    claims.submodules[host].status = TrustTier::affirming;
    return sign_ear(claims, status_key).value();
  }
};

/// One end: carries out what its machine asks for.
struct End {
  World const& world;
  std::shared_ptr<FrameConnection> connection;
  std::optional<Bridge> machine;
  std::string peer;
  bool open = false;

  End(World const& w, BridgeRole role, std::string const& self, std::string other,
      std::string proof, std::shared_ptr<FrameConnection> c)
      : world(w), connection(std::move(c)), peer(std::move(other)) {
    BridgeConfig config;
    config.role = role;
    config.self = HostName(self);
    if (role == BridgeRole::initiator) {
      config.peer = HostName(peer);
      config.label = LabelName("green");
    }
    config.policy_revision = Revision(1);
    config.want = "authority";
    config.proof = std::move(proof);
    config.may_associate = [](HostName const&, LabelName const&) { return true; };
    config.exporter = [raw = connection.get()](std::string_view label, ByteView context,
                                               std::size_t bytes) {
      return raw->tls().export_keying_material(label, context, bytes);
    };
    config.random = [](std::size_t size) { return random_bytes(size); };
    config.ciphers = every_aead_algorithm();
    config.new_spi = [] { return kEspLanesMax * (256u + random_bytes(1)[0]); };
    machine.emplace(std::move(config), read_monotonic_clock());
    connection->set_handlers(
        {[this] { ready(); },
         [this](ByteView frame) { deliver(bridge::FrameReceived{to_bytes(frame)}); },
         [](Error const&) {}});
  }

  void ready() { deliver(bridge::HandshakeDone{HostName(peer)}); }

  void deliver(bridge::Event event) {
    for (auto& action : machine->on(std::move(event), read_monotonic_clock(), read_wall_clock())) {
      if (auto* send = std::get_if<bridge::SendFrame>(&action)) {
        connection->send(send->frame);
      } else if (auto* verify = std::get_if<bridge::VerifyProof>(&action)) {
        auto const claims =
            verify_ear(verify->proof, world.status_key.public_key(), read_wall_clock());
        deliver(bridge::ProofVerdict{verify->ticket, claims ? Status{} : Status(pass(claims))});
      } else if (std::get_if<bridge::OpenAssociation>(&action) != nullptr) {
        open = true;
      }
    }
  }
};

double one_round(World const& world, EventLoop& loop,
                 std::shared_ptr<TlsContext const> const& client,
                 std::shared_ptr<TlsContext const> const& server, std::string const& proof_a,
                 std::string const& proof_b) {
  std::unique_ptr<End> responder;
  auto listener = listen_frames(loop, Endpoint{Ipv4{0x7f000001}, 0}, server,
                                {.on_ready = [&](std::shared_ptr<FrameConnection> c) {
                                  responder =
                                      std::make_unique<End>(world, BridgeRole::responder, "b", "a",
                                                            proof_b, std::move(c));
                                  responder->ready();
                                }});
  if (!listener) return -1;
  Instant const begin = read_monotonic_clock();
  End initiator(world, BridgeRole::initiator, "a", "b", proof_a,
                connect_frames(loop, (*listener)->local(), client));
  bool const done = loop.run_until([&] { return initiator.open && responder && responder->open; },
                                   std::chrono::seconds(5));
  if (!done) {
    for (End const* end : {&initiator, responder.get()}) {
      if (end != nullptr && !end->machine->reason_text().empty()) {
        std::fprintf(stderr, "tunnel_bench: %s\n", end->machine->reason_text().c_str());
      }
    }
  }
  return done ? static_cast<double>((read_monotonic_clock() - begin).count()) / 1e6 : -1;
}

}  // namespace

int main(int argc, char** argv) {
  int const rounds = argc > 1 ? std::atoi(argv[1]) : 200;
  World const world;
  EventLoop loop;
  auto const client = world.tls(TlsRole::client, "a");
  auto const server = world.tls(TlsRole::server, "b");
  std::string const proof_a = world.proof("a");
  std::string const proof_b = world.proof("b");
  std::vector<double> times_ms;
  for (int i = 0; i < rounds; ++i) {
    double const ms = one_round(world, loop, client, server, proof_a, proof_b);
    if (ms < 0) {
      std::fprintf(stderr, "tunnel_bench: round %d did not come to an association\n", i);
      return 1;
    }
    times_ms.push_back(ms);
  }
  std::sort(times_ms.begin(), times_ms.end());
  auto const at = [&](double share) {
    return times_ms[static_cast<std::size_t>(share * static_cast<double>(times_ms.size() - 1))];
  };
  std::printf("{\"rounds\":%d,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"min_ms\":%.3f}\n", rounds, at(0.5),
              at(0.99), times_ms.front());
  return 0;
}
