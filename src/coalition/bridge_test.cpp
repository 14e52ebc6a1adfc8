// Two bridges connected in memory. The TPMs are software, the quotes and their verification are
// real; what a network or a liar could do to the frames is done to them here.
#include "coalition/bridge.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attestation/soft_tpm.hpp"
#include "base/byte_writer.hpp"
#include "coalition/limits.hpp"
#include "measurement/quote.hpp"

namespace shamon {
namespace {

using namespace bridge;

constexpr PcrSelection kPcrs{HashAlgorithm::sha256, 0xff};

/// A host with its TPM.
struct Machine {
  SoftTpm tpm;
  AttestationKey ak = *tpm.create_ak(KeyType::ecdsa_p256);
};
Machine& machine(std::string const& name) {
  static std::map<std::string, Machine> all;
  return all[name];
}

/// One end: the machine, and a driver that answers at once.
class End {
 public:
  End(BridgeRole role, std::string name, std::string peer, Bytes secret)
      : name_(std::move(name)), peer_(std::move(peer)) {
    config.role = role;
    config.self = HostName(name_);
    if (role == BridgeRole::initiator) {
      config.peer = HostName(peer_);
      config.label = LabelName("green");
    }
    config.policy_revision = Revision(7);
    config.proof = "ear of " + name_;
    config.pcr_mask = kPcrs.mask;
    config.ciphers = every_aead_algorithm();
    config.may_associate = [](HostName const&, LabelName const& label) {
      return label == LabelName("green");
    };
    config.exporter = [secret](std::string_view label, ByteView context,
                               std::size_t bytes) -> Result<Bytes> {
      Bytes out(bytes);
      Bytes info = to_bytes(label);
      append(info, context);
      if (auto ok = hkdf_sha256(secret, {}, info, out); !ok) return pass(ok);
      return out;
    };
    config.random = [](std::size_t bytes) { return random_bytes(bytes); };
    std::uint32_t const base = role == BridgeRole::initiator ? 0x1000 : 0x2000;
    config.new_spi = [next = base]() mutable { return std::exchange(next, next + kEspLanesMax); };
  }

  void start(Instant now) { machine_.emplace(config, now); }
  Bridge& bridge() { return *machine_; }

  /// Gives an event and does what is asked, until nothing is.
  void on(Event event, Instant now, WallTime wall) {
    for (Action& action : machine_->on(std::move(event), now, wall)) {
      std::visit([&](auto& a) { act(a, now, wall); }, action);
    }
  }
  template <class T>
  bool did() const {
    return std::find(done.begin(), done.end(), typeid(T).name()) != done.end();
  }

  BridgeConfig config;
  std::deque<Bytes> wire;
  std::vector<std::string> done;  ///< kinds of actions, in order
  std::vector<OpenAssociation> opened;
  std::optional<CloseAssociation> closed;
  std::optional<LeaveAssociation> left;
  std::vector<FailureReport> reports;
  std::vector<std::string> records;
  std::vector<BridgeChallenge::Vm> vms;  ///< we challenge
  std::string signs_as;                  ///< another machine's TPM makes our quotes
  Bytes qualifying_override;             ///< a quote for something else
  bool proof_holds = true, vm_holds = true, silent = false, tpm_works = true, judges = true;

 private:
  template <class T>
  void note(T const&) {
    done.push_back(typeid(T).name());
  }
  Result<EvidenceMessage> quote(ByteView data) {
    if (!tpm_works) return fail(Errc::tpm, "no TPM");
    Machine& signer = machine(signs_as.empty() ? name_ : signs_as);
    auto const made = signer.tpm.quote(
        signer.ak, qualifying_override.empty() ? data : qualifying_override, kPcrs);
    if (!made) return pass(made);
    EvidenceMessage out;
    out.attest = made->attest;
    out.signature = made->signature;
    return out;
  }
  AppraisalVerdict judge(Ticket ticket, std::string const& host, EvidenceMessage const& evidence,
                         Bytes const& data) {
    AppraisalVerdict verdict;
    verdict.ticket = ticket;
    auto const area = parse_tpm_public(machine(host).ak.public_area);
    auto const verified = verify_quote(area->key, evidence.attest, evidence.signature, data);
    verdict.accepted = verified.has_value();
    if (!verified) {
      verdict.findings.push_back(
          FindingMessage{"quote", host, 0, "", {}, verified.error().message});
    }
    return verdict;
  }

  void act(SendFrame& a, Instant, WallTime) {
    note(a);
    wire.push_back(std::move(a.frame));
  }
  void act(MakeQuote& a, Instant now, WallTime wall) {
    note(a);
    on(bridge::QuoteReady{a.ticket, quote(a.qualifying_data)}, now, wall);
  }
  void act(VerifyProof& a, Instant now, WallTime wall) {
    note(a);
    bool const ok = proof_holds && a.proof == "ear of " + a.peer.value();
    on(ProofVerdict{a.ticket, ok ? Status{} : fail(Errc::untrusted, "no such proof")}, now, wall);
  }
  void act(Appraise& a, Instant now, WallTime wall) {
    note(a);
    if (!judges) return;
    on(judge(a.ticket, a.peer.value(), a.evidence, a.qualifying_data), now, wall);
  }
  void act(AppraiseVm& a, Instant now, WallTime wall) {
    note(a);
    AppraisalVerdict verdict;
    verdict.ticket = a.ticket;
    if (a.evidence) verdict = judge(a.ticket, a.vm.value(), *a.evidence, a.qualifying_data);
    if (!vm_holds) verdict.accepted = false;
    on(std::move(verdict), now, wall);
  }
  void act(OpenAssociation& a, Instant, WallTime) {
    note(a);
    opened.push_back(std::move(a));
  }
  void act(CloseAssociation& a, Instant, WallTime) {
    note(a);
    closed = a;
  }
  void act(LeaveAssociation& a, Instant, WallTime) {
    note(a);
    left = a;
  }
  void act(PrepareChallenge& a, Instant now, WallTime wall) {
    note(a);
    BridgeChallenge challenge;
    challenge.host.pcr_mask = kPcrs.mask;
    challenge.vms = vms;
    on(ChallengePrepared{std::move(challenge)}, now, wall);
  }
  void act(AnswerNeeded& a, Instant now, WallTime wall) {
    note(a);
    if (silent) return;
    BridgeAnswer answer;
    if (auto evidence = quote(a.host_qualifying_data)) answer.host = std::move(*evidence);
    for (std::size_t i = 0; i < a.challenge.vms.size(); ++i) {
      BridgeAnswer::Vm vm;
      vm.vm = a.challenge.vms[i].vm;
      std::string const mine = name_;
      name_ = vm.vm.value();  // the VM's own TPM
      if (auto evidence = quote(a.vm_qualifying_data[i])) vm.evidence = std::move(*evidence);
      name_ = mine;
      answer.vms.push_back(std::move(vm));
    }
    on(AnswerReady{a.ticket, std::move(answer)}, now, wall);
  }
  void act(Report& a, Instant, WallTime) {
    note(a);
    reports.push_back(a.report);
  }
  void act(Record& a, Instant, WallTime) { records.push_back(a.row.kind); }
  void act(CloseConnection& a, Instant, WallTime) { note(a); }

  std::string name_, peer_;
  std::optional<Bridge> machine_;
};

class BridgeTest : public testing::Test {
 protected:
  void shake_hands() {
    i_.start(now_);
    r_.start(now_);
    r_.on(HandshakeDone{HostName("shype1")}, now_, wall_);
    i_.on(HandshakeDone{HostName("shype2")}, now_, wall_);
  }
  /// Delivers one frame; false: none was under way. `alter_` may change it on the way.
  bool step() {
    bool any = false;
    for (auto [from, to] : {std::pair{&i_, &r_}, std::pair{&r_, &i_}}) {
      if (from->wire.empty()) continue;
      Bytes frame = std::move(from->wire.front());
      from->wire.pop_front();
      if (alter_) alter_(frame);
      to->on(FrameReceived{std::move(frame)}, now_, wall_);
      any = true;
    }
    return any;
  }
  void settle() {
    while (step()) {
    }
  }
  void establish() {
    shake_hands();
    settle();
    ASSERT_EQ(i_.bridge().state(), BridgeState::established) << i_.bridge().reason_text();
    ASSERT_EQ(r_.bridge().state(), BridgeState::established) << r_.bridge().reason_text();
  }
  void pass(Duration time) {
    now_ = now_ + time;
    wall_ = wall_ + time;
    i_.on(bridge::Timer{}, now_, wall_);
    r_.on(bridge::Timer{}, now_, wall_);
  }
  void expect_refused(Reason by_initiator, Reason by_responder) {
    EXPECT_EQ(i_.bridge().state(), BridgeState::closed);
    EXPECT_EQ(r_.bridge().state(), BridgeState::closed);
    EXPECT_EQ(to_string(i_.bridge().reason()), std::string(to_string(by_initiator)));
    EXPECT_EQ(to_string(r_.bridge().reason()), std::string(to_string(by_responder)));
    EXPECT_TRUE(i_.opened.empty());
    EXPECT_TRUE(r_.opened.empty());
  }
  template <class T, class Change>
  void alter_frames(Change change) {
    alter_ = [change](Bytes& frame) {
      auto parsed = parse_frame(frame);
      if (auto* message = parsed ? std::get_if<T>(&*parsed) : nullptr) {
        change(*message);
        frame = write_frame(*parsed);
      }
    };
  }

  Instant now_{1'000'000'000};
  WallTime wall_{1'795'296'605'000};
  Bytes const secret_ = Bytes(32, 0x5a);
  End i_{BridgeRole::initiator, "shype1", "shype2", secret_};
  End r_{BridgeRole::responder, "shype2", "shype1", secret_};
  std::function<void(Bytes&)> alter_;
};

Bytes bytes_of(EspKeys const& keys) {
  return to_bytes(keys.expose());
}

TEST_F(BridgeTest, EstablishesWithKeysThatFitCrosswise) {
  establish();
  ASSERT_EQ(i_.opened.size(), 1u);
  ASSERT_EQ(r_.opened.size(), 1u);
  OpenAssociation const& i = i_.opened[0];
  OpenAssociation const& r = r_.opened[0];
  EXPECT_EQ(bytes_of(i.key_in), bytes_of(r.key_out));
  EXPECT_EQ(bytes_of(i.key_out), bytes_of(r.key_in));
  EXPECT_NE(bytes_of(i.key_in), bytes_of(i.key_out));
  EXPECT_EQ(i.spi_in, r.spi_out);
  EXPECT_EQ(i.spi_out, r.spi_in);
  EXPECT_EQ(i.label, LabelName("green"));
  EXPECT_EQ(r.label, LabelName("green"));
  EXPECT_EQ(i.proof, "ear of shype2");
  EXPECT_EQ(r.peer, HostName("shype1"));
  EXPECT_FALSE(i.replaces);
}

constexpr AeadAlgorithm kGcm = AeadAlgorithm::encr_aes_gcm_16_256;
constexpr AeadAlgorithm kChaCha = AeadAlgorithm::encr_chacha20_poly1305;
constexpr AeadAlgorithm kSmall = AeadAlgorithm::encr_aes_gcm_16_128;

TEST_F(BridgeTest, TheCipherIsTheFirstOfTheInitiatorsThatTheResponderHasToo) {
  using List = std::vector<AeadAlgorithm>;
  struct Row {
    List initiator, responder;
    AeadAlgorithm chosen;
  };
  Row const rows[] = {
      {{kGcm, kChaCha, kSmall}, {kGcm, kChaCha, kSmall}, kGcm},
      {{kChaCha, kGcm}, {kGcm, kChaCha}, kChaCha},
      {{kGcm, kChaCha}, {kChaCha}, kChaCha},
      {{kSmall}, {kGcm, kSmall}, kSmall},
  };
  for (Row const& row : rows) {
    End i{BridgeRole::initiator, "shype1", "shype2", secret_};
    End r{BridgeRole::responder, "shype2", "shype1", secret_};
    i.config.ciphers = row.initiator;
    r.config.ciphers = row.responder;
    std::swap(i, i_);
    std::swap(r, r_);
    establish();
    for (End const* end : {&i_, &r_}) EXPECT_EQ(end->opened.at(0).algorithm, row.chosen);
    Bytes const key = bytes_of(i_.opened[0].key_in);
    EXPECT_EQ(key, bytes_of(r_.opened[0].key_out));
    std::size_t const used = aead_material_bytes(row.chosen);
    EXPECT_NE(Bytes(key.begin(), key.begin() + used), Bytes(used));
    EXPECT_EQ(Bytes(key.begin() + used, key.end()), Bytes(key.size() - used)) << "zeros after it";
  }
}

TEST_F(BridgeTest, AnAssociationHasTheLanesOfTheEndWithMoreWorkersAlsoAfterARekey) {
  i_.config.lanes = 2;
  r_.config.lanes = 5;
  r_.config.extended_sequence = true;
  establish();
  r_.on(RekeyWanted{}, now_, wall_);
  settle();
  for (End const* end : {&i_, &r_}) {
    ASSERT_EQ(end->opened.size(), 2u);
    for (auto const& open : end->opened) {
      EXPECT_EQ(open.lanes, 5u);
      EXPECT_TRUE(open.extended_sequence);
    }
  }
}

TEST_F(BridgeTest, ExtendedNumbersNeedBothEnds) {
  r_.config.extended_sequence = false;
  establish();
  for (End const* end : {&i_, &r_}) EXPECT_FALSE(end->opened.at(0).extended_sequence);
}

TEST_F(BridgeTest, LanesThatNoGateHasAreRefused) {
  struct Row {
    std::uint32_t lanes, spi_in;
  };
  for (Row const& row : {Row{0, 0x1000}, Row{17, 0x1000}, Row{2, 0x1001}}) {
    End i{BridgeRole::initiator, "shype1", "shype2", secret_};
    End r{BridgeRole::responder, "shype2", "shype1", secret_};
    std::swap(i, i_);
    std::swap(r, r_);
    alter_frames<BridgeHello>([row](BridgeHello& hello) {
      hello.lanes = row.lanes;
      hello.spi_in = row.spi_in;
    });
    shake_hands();
    settle();
    expect_refused(Reason::peer_refused, Reason::spi_bad);
  }
}

TEST_F(BridgeTest, EndsWithoutACommonCipherAreRefusedWithBothLists) {
  i_.config.ciphers = {kGcm};
  r_.config.ciphers = {kChaCha, kSmall};
  shake_hands();
  settle();
  expect_refused(Reason::peer_refused, Reason::no_common_cipher);
  std::string const& text = r_.bridge().reason_text();
  EXPECT_NE(text.find("[ENCR_AES_GCM_16-256]"), std::string::npos) << text;
  EXPECT_NE(text.find("[ENCR_CHACHA20_POLY1305 ENCR_AES_GCM_16-128]"), std::string::npos) << text;
}

TEST_F(BridgeTest, AnEndThatMayUseNoCipherAtAllIsRefused) {
  r_.config.ciphers = {};
  shake_hands();
  settle();
  expect_refused(Reason::peer_refused, Reason::no_common_cipher);
}

TEST_F(BridgeTest, EndsThatChoseDifferentCiphersHaveKeysThatDoNotFit) {
  // TLS keeps the offers whole; if it did not, the keys would still tell.
  alter_frames<BridgeHello>([](BridgeHello& hello) { hello.ciphers = {to_string(kChaCha)}; });
  i_.config.want = r_.config.want = "authority";
  establish();
  EXPECT_EQ(i_.opened[0].algorithm, kGcm);
  EXPECT_EQ(r_.opened[0].algorithm, kChaCha);
  EXPECT_NE(bytes_of(i_.opened[0].key_in), bytes_of(r_.opened[0].key_out));
  EXPECT_NE(bytes_of(i_.opened[0].key_out), bytes_of(r_.opened[0].key_in));
}

TEST_F(BridgeTest, ARekeyFromEitherSideEndsAtTheSameCipher) {
  i_.config.ciphers = {kChaCha, kGcm};
  r_.config.ciphers = {kGcm, kChaCha};
  establish();
  for (End* asks : {&i_, &r_}) {
    asks->on(RekeyWanted{}, now_, wall_);
    settle();
    EXPECT_EQ(i_.opened.back().algorithm, kChaCha);
    EXPECT_EQ(r_.opened.back().algorithm, kChaCha);
  }
  EXPECT_EQ(i_.opened.size(), 3u);
}

TEST_F(BridgeTest, EndsThatDisagreeAboutTheChannelGetKeysThatDoNotFit) {
  End other{BridgeRole::responder, "shype2", "shype1", Bytes(32, 0x5b)};
  r_.config.exporter = other.config.exporter;
  i_.config.want = r_.config.want = "authority";
  establish();
  EXPECT_NE(bytes_of(i_.opened[0].key_in), bytes_of(r_.opened[0].key_out));
}

TEST_F(BridgeTest, MakesNoQuoteThatNobodyWants) {
  i_.config.want = r_.config.want = "authority";
  establish();
  EXPECT_FALSE(i_.did<MakeQuote>());
  EXPECT_FALSE(i_.did<Appraise>());
  EXPECT_TRUE(i_.did<VerifyProof>());
}

TEST_F(BridgeTest, AsksForNoProofWhereOnlyDirectEvidenceCounts) {
  i_.config.want = r_.config.want = "direct";
  establish();
  EXPECT_FALSE(i_.did<VerifyProof>());
  EXPECT_TRUE(i_.did<Appraise>());
}

TEST_F(BridgeTest, ARelayedQuoteIsRefused) {
  // Somebody between the two has one TLS connection with each, so two exporters.
  End other{BridgeRole::responder, "shype2", "shype1", Bytes(32, 0x5b)};
  r_.config.exporter = other.config.exporter;
  shake_hands();
  settle();
  EXPECT_EQ(i_.bridge().reason(), Reason::evidence_refused);
  EXPECT_TRUE(i_.opened.empty());
  EXPECT_TRUE(r_.opened.empty());
  ASSERT_EQ(i_.reports.size(), 1u);
  EXPECT_EQ(i_.reports[0].about_host, HostName("shype2"));
}

TEST_F(BridgeTest, AQuoteOfAnotherMachinesKeyIsRefused) {
  r_.signs_as = "shype3";
  shake_hands();
  settle();
  expect_refused(Reason::evidence_refused, Reason::peer_refused);
}

TEST_F(BridgeTest, AQuoteOverAnOldNonceIsRefused) {
  r_.qualifying_override =
      bridge_qualifying_data(Bytes(32, 1), *r_.config.exporter(kBridgeExporterLabel, {}, 32),
                             LabelName("green"), Revision(7));
  shake_hands();
  settle();
  expect_refused(Reason::evidence_refused, Reason::peer_refused);
}

TEST_F(BridgeTest, AProofThatDoesNotHoldIsRefused) {
  i_.proof_holds = false;
  shake_hands();
  settle();
  expect_refused(Reason::proof_refused, Reason::peer_refused);
}

TEST_F(BridgeTest, ALabelTheResponderDoesNotKnowIsRefused) {
  i_.config.label = LabelName("red");
  shake_hands();
  settle();
  expect_refused(Reason::peer_refused, Reason::label_unknown);
}

TEST_F(BridgeTest, AnotherPolicyRevisionIsRefused) {
  r_.config.policy_revision = Revision(8);
  shake_hands();
  settle();
  expect_refused(Reason::peer_refused, Reason::policy_revision);
}

TEST_F(BridgeTest, ACertificateOfAnotherHostIsRefused) {
  i_.start(now_);
  i_.on(HandshakeDone{HostName("shype3")}, now_, wall_);
  EXPECT_EQ(i_.bridge().reason(), Reason::peer_name);
}

TEST_F(BridgeTest, AHelloInAnothersNameIsRefused) {
  i_.start(now_);
  r_.start(now_);
  r_.on(HandshakeDone{HostName("shype3")}, now_, wall_);
  i_.on(HandshakeDone{HostName("shype2")}, now_, wall_);
  settle();
  expect_refused(Reason::peer_refused, Reason::peer_name);
}

struct ReplyRow {
  char const* name;
  void (*spoil)(HelloReply&);
  Reason reason;
};

TEST_F(BridgeTest, AReplyThatDoesNotFitIsRefused) {
  ReplyRow const rows[] = {
      {"another label", [](HelloReply& r) { r.hello.label = LabelName("red"); },
       Reason::label_mismatch},
      {"another host", [](HelloReply& r) { r.hello.host = HostName("shype3"); }, Reason::peer_name},
      {"another revision", [](HelloReply& r) { r.hello.policy_revision = Revision(6); },
       Reason::policy_revision},
      {"a short nonce", [](HelloReply& r) { r.hello.nonce.resize(31); }, Reason::nonce_bad},
      {"a long nonce", [](HelloReply& r) { r.hello.nonce.resize(33); }, Reason::nonce_bad},
      {"a reserved SPI", [](HelloReply& r) { r.hello.spi_in = 255; }, Reason::spi_bad},
      {"an unknown demand", [](HelloReply& r) { r.hello.want = "nothing"; }, Reason::want_unknown},
      {"no cipher", [](HelloReply& r) { r.hello.ciphers.clear(); }, Reason::no_common_cipher},
      {"ciphers of another time", [](HelloReply& r) { r.hello.ciphers = {"ENCR_3DES"}; },
       Reason::no_common_cipher},
  };
  for (ReplyRow const& row : rows) {
    SCOPED_TRACE(row.name);
    End i{BridgeRole::initiator, "shype1", "shype2", secret_};
    i.start(now_);
    i.on(HandshakeDone{HostName("shype2")}, now_, wall_);
    HelloReply reply{*decode_cbor<BridgeHello>(ByteView(i.wire.front()).subspan(1))};
    reply.hello.host = HostName("shype2");
    reply.hello.nonce = Bytes(32, 8);
    row.spoil(reply);
    i.on(FrameReceived{write_frame(reply)}, now_, wall_);
    EXPECT_EQ(to_string(i.bridge().reason()), std::string(to_string(row.reason)));
    EXPECT_EQ(i.bridge().state(), BridgeState::closed);
  }
}

TEST_F(BridgeTest, OurOwnNonceSentBackIsStale) {
  i_.start(now_);
  i_.on(HandshakeDone{HostName("shype2")}, now_, wall_);
  HelloReply reply{*decode_cbor<BridgeHello>(ByteView(i_.wire.front()).subspan(1))};
  reply.hello.host = HostName("shype2");
  i_.on(FrameReceived{write_frame(reply)}, now_, wall_);
  EXPECT_EQ(i_.bridge().reason(), Reason::nonce_stale);
}

TEST_F(BridgeTest, FramesOutOfOrderAreRefused) {
  Frame const frames[] = {HelloReply{},      BridgeEvidence{}, Established{},
                          BridgeChallenge{}, BridgeAnswer{},   Rekey{}};
  for (Frame const& frame : frames) {
    End r{BridgeRole::responder, "shype2", "shype1", secret_};
    r.start(now_);
    r.on(HandshakeDone{HostName("shype1")}, now_, wall_);
    r.on(FrameReceived{write_frame(frame)}, now_, wall_);
    EXPECT_EQ(r.bridge().reason(), Reason::out_of_order) << frame.index();
  }
  End r{BridgeRole::responder, "shype2", "shype1", secret_};
  r.start(now_);
  r.on(FrameReceived{write_frame(BridgeHello{})}, now_, wall_);
  EXPECT_EQ(r.bridge().state(), BridgeState::closed) << "before the handshake";
}

TEST_F(BridgeTest, EstablishedBeforeEvidenceOpensNothing) {
  shake_hands();
  step();  // hello; the responder answers
  r_.wire.clear();
  r_.on(FrameReceived{write_frame(Established{})}, now_, wall_);
  EXPECT_TRUE(r_.opened.empty());
}

TEST_F(BridgeTest, WhatIsNoFrameIsRefused) {
  struct Row {
    Bytes frame;
    Reason reason;
  } const rows[] = {
      {{}, Reason::malformed},
      {{0}, Reason::malformed},
      {{10}, Reason::malformed},
      {{1, 0xff}, Reason::malformed},
      {{4, 0}, Reason::malformed},
      {Bytes(1 + BridgeHello::kLimits.bytes_max + 1, 1), Reason::too_large},
  };
  for (Row const& row : rows) {
    End r{BridgeRole::responder, "shype2", "shype1", secret_};
    r.start(now_);
    r.on(HandshakeDone{HostName("shype1")}, now_, wall_);
    r.on(FrameReceived{row.frame}, now_, wall_);
    EXPECT_EQ(r.bridge().reason(), row.reason);
  }
}

TEST_F(BridgeTest, SilenceWhileNegotiatingIsATimeout) {
  shake_hands();
  pass(kBridgeFrameTimeout - Duration(1));
  EXPECT_EQ(r_.bridge().state(), BridgeState::greeting);
  pass(Duration(1));
  expect_refused(Reason::timeout, Reason::timeout);
}

TEST_F(BridgeTest, ATpmThatFailsEndsTheNegotiation) {
  i_.tpm_works = false;
  shake_hands();
  settle();
  expect_refused(Reason::own_evidence_failed, Reason::peer_refused);
}

TEST_F(BridgeTest, MissingDirectEvidenceIsRefused) {
  alter_frames<BridgeEvidence>([](BridgeEvidence& e) { e.evidence.reset(); });
  shake_hands();
  settle();
  EXPECT_EQ(i_.bridge().reason(), Reason::evidence_missing);
}

TEST_F(BridgeTest, ADeniedAssociationIsClosedAtBothEnds) {
  establish();
  i_.on(AssociationRefused{"chinese wall"}, now_, wall_);
  settle();
  EXPECT_EQ(i_.bridge().reason(), Reason::association_denied);
  EXPECT_TRUE(r_.closed);
}

TEST_F(BridgeTest, ChallengesGoBothWaysForAsLongAsItIsOpen) {
  i_.vms.resize(1);
  i_.vms[0].vm = VmName("server");
  establish();
  for (int round = 0; round < 5; ++round) {
    i_.done.clear();
    r_.done.clear();
    pass(i_.config.challenge_period);
    settle();
    EXPECT_TRUE(i_.did<Appraise>());
    EXPECT_TRUE(i_.did<AppraiseVm>());
    EXPECT_TRUE(r_.did<Appraise>());
    EXPECT_FALSE(r_.did<AppraiseVm>());
  }
  EXPECT_EQ(i_.bridge().state(), BridgeState::established);
  EXPECT_EQ(r_.bridge().state(), BridgeState::established);
}

TEST_F(BridgeTest, AVmThatFailsItsChallengeClosesTheAssociationFirst) {
  i_.vms.resize(1);
  i_.vms[0].vm = VmName("server");
  establish();
  i_.vm_holds = false;
  i_.done.clear();
  pass(i_.config.challenge_period);
  settle();
  ASSERT_TRUE(i_.closed);
  EXPECT_EQ(i_.closed->reason, Reason::challenge_failed);
  ASSERT_EQ(i_.reports.size(), 1u);
  EXPECT_EQ(i_.reports[0].about_vm, VmName("server"));
  EXPECT_EQ(i_.reports[0].about_host, HostName());
  EXPECT_TRUE(r_.closed);
  EXPECT_EQ(r_.bridge().reason(), Reason::peer_refused);
  auto const at = [&](char const* kind) {
    return std::find(i_.done.begin(), i_.done.end(), kind) - i_.done.begin();
  };
  EXPECT_LT(at(typeid(CloseAssociation).name()), at(typeid(Report).name()));
}

TEST_F(BridgeTest, AHostThatFailsItsChallengeIsClosedAndReported) {
  establish();
  r_.signs_as = "shype3";
  pass(i_.config.challenge_period);
  settle();
  ASSERT_TRUE(i_.closed);
  EXPECT_EQ(i_.closed->reason, Reason::challenge_failed);
  ASSERT_EQ(i_.reports.size(), 1u);
  EXPECT_EQ(i_.reports[0].about_host, HostName("shype2"));
}

TEST_F(BridgeTest, AnUnansweredChallengeClosesButAccusesNobody) {
  establish();
  r_.silent = true;
  pass(i_.config.challenge_period);
  settle();
  pass(i_.config.challenge_timeout - Duration(1));
  EXPECT_FALSE(i_.closed);
  pass(Duration(1));
  ASSERT_TRUE(i_.closed);
  EXPECT_EQ(i_.closed->reason, Reason::challenge_timeout);
  EXPECT_TRUE(i_.reports.empty());
}

TEST_F(BridgeTest, AnAnswerThatLeavesOutAVmFails) {
  i_.vms.resize(1);
  i_.vms[0].vm = VmName("server");
  establish();
  alter_frames<BridgeAnswer>([](BridgeAnswer& a) { a.vms.clear(); });
  pass(i_.config.challenge_period);
  settle();
  EXPECT_EQ(i_.bridge().reason(), Reason::challenge_failed);
}

TEST_F(BridgeTest, AnAnswerOfAnotherRoundIsRefused) {
  establish();
  alter_frames<BridgeAnswer>([](BridgeAnswer& a) { ++a.sequence; });
  pass(i_.config.challenge_period);
  settle();
  EXPECT_EQ(i_.bridge().reason(), Reason::out_of_order);
}

TEST_F(BridgeTest, AChallengeAgainIsRefused) {
  establish();
  Bytes first;
  alter_ = [&first](Bytes& frame) {
    if (frame[0] == static_cast<std::uint8_t>(BridgeKind::challenge) && first.empty())
      first = frame;
  };
  pass(i_.config.challenge_period);
  settle();
  ASSERT_FALSE(first.empty());
  r_.on(FrameReceived{first}, now_, wall_);
  EXPECT_EQ(r_.bridge().reason(), Reason::out_of_order);
  ASSERT_TRUE(r_.closed);
}

TEST_F(BridgeTest, AChallengeWithAUsedNonceIsStale) {
  establish();
  alter_frames<BridgeChallenge>([](BridgeChallenge& c) { c.host.nonce = Bytes(32, 1); });
  pass(i_.config.challenge_period);
  settle();
  // The first round failed at the challengers, whose nonce was not the one quoted over.
  EXPECT_EQ(i_.bridge().state(), BridgeState::closed);
  End r{BridgeRole::responder, "shype2", "shype1", secret_};
  End i{BridgeRole::initiator, "shype1", "shype2", secret_};
  std::swap(i_, i);
  std::swap(r_, r);
  alter_ = nullptr;
  establish();
  BridgeChallenge challenge;
  challenge.sequence = 1;
  challenge.host.nonce = Bytes(32, 1);
  r_.on(FrameReceived{write_frame(challenge)}, now_, wall_);
  EXPECT_EQ(r_.bridge().state(), BridgeState::established);
  challenge.sequence = 2;
  r_.on(FrameReceived{write_frame(challenge)}, now_, wall_);
  EXPECT_EQ(r_.bridge().reason(), Reason::nonce_stale);
}

TEST_F(BridgeTest, TheLatestNoncesAreRememberedHoweverManyCameBefore) {
  establish();
  BridgeChallenge challenge;
  auto const ask = [&](std::uint64_t number) {
    ByteWriter nonce;
    for (int i = 0; i < 4; ++i) nonce.u64be(number);
    ++challenge.sequence;
    challenge.host.nonce = std::move(nonce).take();
    r_.on(FrameReceived{write_frame(challenge)}, now_, wall_);
  };
  for (std::uint64_t number = 1; number <= 2000; ++number) ask(number);
  ASSERT_EQ(r_.bridge().state(), BridgeState::established);
  ask(1990);
  EXPECT_EQ(r_.bridge().reason(), Reason::nonce_stale);
}

TEST_F(BridgeTest, ARekeyFromEitherSideMakesNewKeysAndReplaces) {
  establish();
  for (End* asks : {&i_, &r_}) {
    std::size_t const before = i_.opened.size();
    asks->on(RekeyWanted{}, now_, wall_);
    settle();
    ASSERT_EQ(i_.opened.size(), before + 1);
    ASSERT_EQ(r_.opened.size(), before + 1);
    OpenAssociation const& i = i_.opened.back();
    OpenAssociation const& r = r_.opened.back();
    EXPECT_TRUE(i.replaces);
    EXPECT_EQ(bytes_of(i.key_in), bytes_of(r.key_out));
    EXPECT_EQ(i.spi_in, r.spi_out);
    EXPECT_EQ(i.spi_out, r.spi_in);
    EXPECT_NE(i.spi_in, i_.opened[before - 1].spi_in);
    EXPECT_NE(bytes_of(i.key_in), bytes_of(i_.opened[before - 1].key_in));
  }
  EXPECT_FALSE(i_.closed);
}

TEST_F(BridgeTest, RekeysThatCrossBecomeOne) {
  establish();
  i_.on(RekeyWanted{}, now_, wall_);
  r_.on(RekeyWanted{}, now_, wall_);
  settle();
  ASSERT_EQ(i_.opened.size(), 2u);
  ASSERT_EQ(r_.opened.size(), 2u);
  EXPECT_EQ(i_.opened[1].spi_in, r_.opened[1].spi_out);
  EXPECT_EQ(bytes_of(i_.opened[1].key_in), bytes_of(r_.opened[1].key_out));
  EXPECT_FALSE(i_.closed);
}

TEST_F(BridgeTest, ANewPolicyRevisionRekeysOnceBothEnforceIt) {
  establish();
  i_.on(PolicyRevisionIs{Revision(8)}, now_, wall_);
  settle();
  EXPECT_EQ(i_.opened.size(), 1u) << "the responder does not enforce it yet";
  EXPECT_FALSE(i_.closed);
  r_.on(PolicyRevisionIs{Revision(8)}, now_, wall_);
  settle();
  pass(kRekeyRetry);
  settle();
  ASSERT_GE(i_.opened.size(), 2u);
  EXPECT_EQ(i_.opened.back().policy_revision, Revision(8));
  EXPECT_EQ(bytes_of(i_.opened.back().key_in), bytes_of(r_.opened.back().key_out));
  pass(i_.config.challenge_period);
  settle();
  EXPECT_EQ(i_.bridge().state(), BridgeState::established) << "challenges go on across it";
}

TEST_F(BridgeTest, ARekeyWithAnSpiInUseIsRefused) {
  establish();
  Rekey rekey;
  rekey.hello.host = HostName("shype1");
  rekey.hello.label = LabelName("green");
  rekey.hello.policy_revision = Revision(7);
  rekey.hello.want = "both";
  rekey.hello.nonce = Bytes(32, 3);
  rekey.hello.spi_in = r_.opened[0].spi_in;
  r_.on(FrameReceived{write_frame(rekey)}, now_, wall_);
  EXPECT_EQ(r_.bridge().reason(), Reason::spi_bad);
  EXPECT_TRUE(r_.closed);
}

TEST_F(BridgeTest, ALostConnectionLeavesTheAssociationForAsLongAsSilenceWould) {
  establish();
  Instant const silent_until = now_ + i_.config.challenge_period + i_.config.challenge_timeout;
  pass(i_.config.challenge_period / 2);
  i_.on(ConnectionLost{"reset"}, now_, wall_);
  EXPECT_FALSE(i_.closed);
  ASSERT_TRUE(i_.left);
  EXPECT_EQ(i_.left->until, silent_until);
  EXPECT_EQ(i_.bridge().reason(), Reason::connection_lost);
  EXPECT_FALSE(i_.bridge().next_deadline());
  i_.on(RekeyWanted{}, now_, wall_);
  EXPECT_TRUE(i_.wire.empty()) << "closed is closed";
}

TEST_F(BridgeTest, ALostConnectionGainsNothingForWhoOwesAnAnswer) {
  establish();
  r_.silent = true;
  pass(i_.config.challenge_period);
  settle();
  Instant const due = now_ + i_.config.challenge_timeout;
  pass(i_.config.challenge_timeout / 2);
  i_.on(ConnectionLost{"reset"}, now_, wall_);
  ASSERT_TRUE(i_.left);
  EXPECT_EQ(i_.left->until, due);
}

TEST_F(BridgeTest, WhoAnswersAndGoesAwayDoesNotEscapeTheVerdict) {
  establish();
  i_.judges = false;
  pass(i_.config.challenge_period);
  settle();
  ASSERT_EQ(i_.bridge().state(), BridgeState::established);
  i_.on(ConnectionLost{"reset"}, now_, wall_);
  EXPECT_FALSE(i_.left);
  ASSERT_TRUE(i_.closed);
  EXPECT_EQ(i_.closed->reason, Reason::connection_lost);
}

TEST_F(BridgeTest, AConnectionLostWhileNegotiatingLeavesNothing) {
  shake_hands();
  i_.on(ConnectionLost{"reset"}, now_, wall_);
  EXPECT_FALSE(i_.left);
  EXPECT_FALSE(i_.closed);
  EXPECT_EQ(i_.bridge().state(), BridgeState::closed);
}

TEST_F(BridgeTest, OurOwnWishToCloseReachesThePeer) {
  establish();
  i_.on(CloseWanted{"revoked"}, now_, wall_);
  settle();
  EXPECT_TRUE(i_.closed);
  ASSERT_TRUE(r_.closed);
  EXPECT_EQ(r_.closed->text, "asked: revoked");
}

}  // namespace
}  // namespace shamon
