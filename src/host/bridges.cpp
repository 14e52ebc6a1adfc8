#include "host/bridges.hpp"

#include "attestation/ear.hpp"
#include "base/clock.hpp"
#include "coalition/limits.hpp"

namespace shamon {
namespace {

/// What a host's own evidence must show to a peer that asks for it directly.
std::vector<std::string> const kRequiredOfHosts = {"shamond", "shamon-gate"};
constexpr Duration kTendPeriod = std::chrono::milliseconds(250);

/// The peer has shown something that does not hold: an association that only waits for a new
/// negotiation waits no longer.
bool is_bad_news(bridge::Reason reason) {
  return reason == bridge::Reason::proof_refused || reason == bridge::Reason::evidence_refused ||
         reason == bridge::Reason::evidence_missing;
}

bridge::AppraisalVerdict refusal(bridge::Ticket ticket, std::string component, std::string text) {
  FindingMessage finding;
  finding.rule = "evidence_missing";
  finding.component = std::move(component);
  finding.text = std::move(text);
  return {ticket, false, {std::move(finding)}};
}

bridge::AppraisalVerdict verdict_of(bridge::Ticket ticket, AppraisalResult const& result) {
  bridge::AppraisalVerdict out{ticket, result.accepted, {}};
  for (auto const& finding : result.findings) out.findings.push_back(to_message(finding));
  return out;
}

ChallengeMessage ask_from(AppraisalMemory const& memory, std::uint32_t pcr_mask) {
  ChallengeMessage out;
  out.pcr_mask = pcr_mask;
  if (memory.valid) {
    out.ima_offset = memory.ima_offset;
    out.reset_count = memory.reset_count;
  }
  return out;
}

/// The coalition's ciphers, in its order, as far as this machine will do them.
std::vector<AeadAlgorithm> ciphers_of(JoinAccepted const& acceptance, HostConfig const& config) {
  std::vector<AeadAlgorithm> ciphers = known_aead_algorithms(acceptance.ciphers);
  std::erase_if(ciphers, [&](AeadAlgorithm algorithm) {
    return std::find(config.ciphers.begin(), config.ciphers.end(), algorithm) ==
           config.ciphers.end();
  });
  return ciphers;
}

}  // namespace

struct Bridges::Link {
  std::shared_ptr<FrameConnection> connection;
  std::optional<Bridge> machine;
  BridgeRole role = BridgeRole::initiator;
  std::optional<AssociationId> association;
  std::optional<EventLoop::TimerId> timer;
  AppraisalMemory host_memory;
  std::map<VmName, AppraisalMemory> vm_memory;
  bool finished = false;
};

Result<HostName> host_of_certificate(Certificate const& certificate,
                                     CoalitionName const& coalition) {
  std::string const prefix = "shamon://" + coalition.value() + "/host/";
  for (auto const& name : certificate.alternative_names()) {
    if (name.starts_with(prefix) && is_valid_name(name.substr(prefix.size()))) {
      return HostName(name.substr(prefix.size()));
    }
  }
  return fail(Errc::untrusted, "the certificate names no host of coalition " + coalition.value());
}

Bridges::Bridges(Parts parts) : parts_(parts), refused_(parts.loop, parts.journal) {}

Bridges::~Bridges() {
  if (tending_) parts_.loop.cancel(*tending_);
  for (auto const& link : links_) {
    if (link->timer) parts_.loop.cancel(*link->timer);
  }
}

void Bridges::use_credentials(MembershipCredentials const& credentials) {
  proof_ = credentials.proof;
  for (auto const& link : links_) link->machine->set_proof(proof_);
  for (auto const role : {TlsRole::server, TlsRole::client}) {
    auto tls = TlsContext::create({.role = role,
                                   .identity = {credentials.chain, parts_.membership.tls_key()},
                                   .trusted_roots = parts_.authority_ca,
                                   .require_peer_certificate = true,
                                   .expected_peer_name = ""});
    if (!tls) return parts_.journal.event("error", "tls", "", tls.error().describe());
    if (role == TlsRole::client) {
      tls_ = *tls;
    } else if (listener_) {
      listener_->set_tls(*tls);
    } else {
      auto listener = listen_frames(
          parts_.loop, parts_.config.control, *tls,
          {.on_ready =
               [this](std::shared_ptr<FrameConnection> connection) {
                 auto const link = add_link(BridgeRole::responder, std::move(connection),
                                            HostName(), LabelName());
                 if (link) identified(link);
               },
           .on_refused = [this](Endpoint from, Error why) { refused_.add(from, std::move(why)); },
           .is_known =
               [this](IpAddress const& from) {
                 return parts_.membership.member().directory().has_active_member_at(from);
               }});
      if (!listener)
        return parts_.journal.event("error", "control", "", listener.error().describe());
      listener_ = std::move(*listener);
    }
  }
}

bool Bridges::is_wanted(HostName const& peer, LabelName const& label) const {
  for (auto const& link : links_) {
    if (!link->finished && link->machine->peer() == peer && link->machine->label() == label)
      return true;
  }
  return false;
}

void Bridges::want(HostName const& peer, LabelName const& label) {
  MemberEntry const* member = parts_.membership.member().directory().member(peer);
  bool const active = parts_.membership.member().state() == MemberState::active;
  if (member == nullptr || !is_active(*member) || !active || !tls_ || is_wanted(peer, label))
    return;
  add_link(BridgeRole::initiator, connect_frames(parts_.loop, member->control, tls_), peer, label);
}

bool Bridges::runs(LabelName const& label) {
  bool found = false;
  parts_.vms.for_each(
      [&](ManagedVm& vm) { found = found || (vm.spec.label == label && vm.state == "running"); });
  return found;
}

bool Bridges::may_associate(HostName const& peer, LabelName const& label) {
  if (parts_.membership.member().state() != MemberState::active) return false;
  if (!runs(label)) return false;
  // Both ends may begin at once. The one whose name comes first goes on, on both machines.
  for (auto const& link : links_) {
    bool const same = link->machine->peer() == peer && link->machine->label() == label;
    if (!same || link->finished || link->role != BridgeRole::initiator) continue;
    if (link->machine->state() != BridgeState::established && parts_.config.name < peer)
      return false;
  }
  return true;
}

std::uint32_t Bridges::new_spi() {
  for (;;) {
    Bytes const random = random_bytes(4);
    std::uint32_t spi = 0;
    for (std::uint8_t byte : random) spi = spi << 8 | byte;
    spi -= spi % kEspLanesMax;
    if (spi > 255) return spi;
  }
}

Bridges::LinkPtr Bridges::add_link(BridgeRole role, std::shared_ptr<FrameConnection> connection,
                                   HostName peer, LabelName label) {
  if (links_.size() >= kBridgesMax) return nullptr;
  auto link = std::make_shared<Link>();
  link->connection = std::move(connection);
  link->role = role;
  auto const& acceptance = parts_.membership.member().acceptance();
  BridgeConfig config;
  config.role = role;
  config.self = parts_.config.name;
  config.peer = std::move(peer);
  config.label = std::move(label);
  config.policy_revision = parts_.monitor.revision();
  config.want = parts_.config.demand;
  config.proof = proof_;
  config.lanes = parts_.gate.workers();
  config.extended_sequence = parts_.config.extended_sequence;
  if (acceptance) {
    config.challenge_period = std::chrono::milliseconds(acceptance->challenge_period_ms);
    config.challenge_timeout = 2 * config.challenge_period;
    config.ciphers = ciphers_of(*acceptance, parts_.config);
  }
  config.may_associate = [this](HostName const& p, LabelName const& l) {
    return may_associate(p, l);
  };
  config.exporter = [raw = link->connection.get()](std::string_view name, ByteView context,
                                                   std::size_t bytes) {
    return raw->tls().export_keying_material(name, context, bytes);
  };
  config.random = [](std::size_t size) { return random_bytes(size); };
  config.new_spi = [this] { return new_spi(); };
  link->machine.emplace(std::move(config), parts_.loop.now());
  links_.push_back(link);
  std::weak_ptr<Link> const weak = link;
  link->connection->set_handlers({.on_ready =
                                      [this, weak] {
                                        if (auto const self = weak.lock()) identified(self);
                                      },
                                  .on_frame =
                                      [this, weak](ByteView frame) {
                                        if (auto const self = weak.lock())
                                          deliver(self, bridge::FrameReceived{to_bytes(frame)});
                                      },
                                  .on_closed =
                                      [this, weak](Error const& error) {
                                        if (auto const self = weak.lock())
                                          deliver(self, bridge::ConnectionLost{error.describe()});
                                      }});
  arm(link);
  return link;
}

void Bridges::identified(LinkPtr const& link) {
  auto const certificate = link->connection->tls().peer_certificate();
  auto const& accepted = parts_.membership.member().acceptance();
  auto name = certificate && accepted ? host_of_certificate(*certificate, accepted->coalition)
                                      : Result<HostName>(fail(Errc::untrusted, "no certificate"));
  if (name) return deliver(link, bridge::HandshakeDone{*name});
  deliver(link, bridge::CloseWanted{name.error().describe()});
}

void Bridges::arm(LinkPtr const& link) {
  if (link->timer) parts_.loop.cancel(*link->timer);
  link->timer.reset();
  auto const deadline = link->machine->next_deadline();
  if (!deadline || link->finished) return;
  link->timer = parts_.loop.at(*deadline, [this, weak = std::weak_ptr<Link>(link)] {
    if (auto const self = weak.lock()) deliver(self, bridge::Timer{});
  });
}

void Bridges::remove(LinkPtr const& link) {
  link->finished = true;
  if (link->timer) parts_.loop.cancel(*link->timer);
  link->timer.reset();
  // Not now: we may be inside a call of this very connection.
  parts_.loop.post([this, link] {
    link->connection->close();
    links_.remove(link);
  });
}

/// Carries out the actions of one step.
struct Bridges::Performer {
  Bridges& self;
  LinkPtr const& link;

  void operator()(bridge::SendFrame& a) const { link->connection->send(a.frame); }
  void operator()(bridge::MakeQuote& a) const {
    self.parts_.membership.make_evidence(
        to_challenge(a.challenge, a.qualifying_data),
        [this_ = &self, held = link, ticket = a.ticket](Result<Evidence> evidence) {
          this_->deliver(held, bridge::QuoteReady{
                                   ticket, evidence ? Result<EvidenceMessage>(to_message(*evidence))
                                                    : Result<EvidenceMessage>(pass(evidence))});
        });
  }
  void operator()(bridge::VerifyProof& a) const {
    self.deliver(link, bridge::ProofVerdict{a.ticket, self.verify_proof(a)});
  }
  void operator()(bridge::Appraise& a) const { self.deliver(link, self.appraise_host(link, a)); }
  void operator()(bridge::AppraiseVm& a) const { self.deliver(link, self.appraise_vm(link, a)); }
  void operator()(bridge::OpenAssociation& a) const { self.open_association(link, a); }
  void operator()(bridge::CloseAssociation& a) const { self.close_association(link, a); }
  void operator()(bridge::PrepareChallenge&) const {
    self.deliver(link, bridge::ChallengePrepared{self.prepare_challenge(link)});
  }
  void operator()(bridge::AnswerNeeded& a) const { self.answer(link, a); }
  void operator()(bridge::Report& a) const { self.parts_.membership.report_failure(a.report); }
  void operator()(bridge::Record& a) const { self.parts_.journal.event(a.row); }
  void operator()(bridge::LeaveAssociation& a) const { self.leave_association(link, a); }
  void operator()(bridge::CloseConnection& a) const {
    if (is_bad_news(a.reason))
      self.close_unwatched(link->machine->peer(), link->machine->label(), a.text);
    self.remove(link);
  }
};

void Bridges::deliver(LinkPtr const& link, bridge::Event event) {
  if (link->finished) return;
  auto actions = link->machine->on(std::move(event), parts_.loop.now(), read_wall_clock());
  for (auto& action : actions) std::visit(Performer{*this, link}, action);
  if (!link->finished) arm(link);
}

Status Bridges::verify_proof(bridge::VerifyProof const& action) const {
  auto const& acceptance = parts_.membership.member().acceptance();
  if (!acceptance) return fail(Errc::untrusted, "we have no acceptance of our own to judge by");
  auto const key = PublicKey::from_spki_der(acceptance->status_key);
  if (!key) return pass(key);
  auto const claims = verify_ear(action.proof, *key, read_wall_clock());
  if (!claims) return pass(claims, "proof of acceptance of " + action.peer.value());
  auto const found = claims->submodules.find(action.peer.value());
  if (found == claims->submodules.end() || found->second.status != TrustTier::affirming) {
    return fail(Errc::untrusted, "the proof of acceptance does not affirm " + action.peer.value());
  }
  MemberEntry const* member = parts_.membership.member().directory().member(action.peer);
  if (member == nullptr || !is_active(*member)) {
    return fail(Errc::untrusted, action.peer.value() + " is not an active member");
  }
  return {};
}

bridge::AppraisalVerdict Bridges::appraise_host(LinkPtr const& link,
                                                bridge::Appraise const& action) {
  MemberEntry const* member = parts_.membership.member().directory().member(action.peer);
  if (member == nullptr)
    return refusal(action.ticket, action.peer.value(), "the directory does not have this host");
  auto const ak = parse_tpm_public(member->ak_public);
  if (!ak) return refusal(action.ticket, action.peer.value(), ak.error().describe());
  AppraisalPolicy policy;
  policy.required_components = kRequiredOfHosts;
  auto const result =
      appraise(to_evidence(action.evidence), to_challenge(action.challenge, action.qualifying_data),
               *ak, parts_.reference, policy, link->host_memory, read_wall_clock());
  if (result.accepted) link->host_memory = result.memory;
  return verdict_of(action.ticket, result);
}

bridge::AppraisalVerdict Bridges::appraise_vm(LinkPtr const& link,
                                              bridge::AppraiseVm const& action) {
  VmEntry const* vm = parts_.membership.member().directory().vm(action.vm);
  if (!action.evidence) {
    // A VM that ended meanwhile has no evidence to give, and no traffic either.
    if (vm == nullptr || !is_running(*vm)) return {action.ticket, true, {}};
    return refusal(action.ticket, action.vm.value(), action.error);
  }
  if (vm == nullptr)
    return refusal(action.ticket, action.vm.value(), "the directory does not have this VM");
  auto const ak = parse_tpm_public(vm->ak_public);
  if (!ak) return refusal(action.ticket, action.vm.value(), ak.error().describe());
  AppraisalMemory& memory = link->vm_memory[action.vm];
  auto const result = appraise(to_evidence(*action.evidence),
                               to_challenge(action.challenge, action.qualifying_data), *ak,
                               parts_.reference, vm_appraisal_policy(), memory, read_wall_clock());
  if (result.accepted) memory = result.memory;
  return verdict_of(action.ticket, result);
}

BridgeChallenge Bridges::prepare_challenge(LinkPtr const& link) {
  BridgeChallenge out;
  out.host = ask_from(link->host_memory, 0xffff);
  for (auto const& vm : parts_.membership.member().directory().vms_on(link->machine->peer())) {
    if (vm.label != link->machine->label() || !is_running(vm) || vm.ak_public.empty()) continue;
    out.vms.push_back({vm.vm, ask_from(link->vm_memory[vm.vm], kVmPcrMask)});
  }
  return out;
}

void Bridges::answer(LinkPtr const& link, bridge::AnswerNeeded const& action) {
  // The host's evidence and each VM's come at different times; the last one sends the answer.
  struct Gathering {
    BridgeAnswer answer;
    std::size_t missing = 0;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->answer.sequence = action.challenge.sequence;
  gathering->missing = 1 + action.challenge.vms.size();
  auto one_more = [this, link, gathering, ticket = action.ticket] {
    if (--gathering->missing == 0)
      deliver(link, bridge::AnswerReady{ticket, std::move(gathering->answer)});
  };
  for (std::size_t i = 0; i < action.challenge.vms.size(); ++i) {
    auto const& asked = action.challenge.vms[i];
    gathering->answer.vms.push_back({asked.vm, {}, ""});
    parts_.vms.challenge(asked.vm, to_challenge(asked.challenge, action.vm_qualifying_data.at(i)),
                         [gathering, i, one_more](Result<Evidence> evidence) {
                           auto& slot = gathering->answer.vms[i];
                           if (evidence) {
                             slot.evidence = to_message(*evidence);
                           } else {
                             slot.error = evidence.error().describe();
                           }
                           one_more();
                         });
  }
  parts_.membership.make_evidence(to_challenge(action.challenge.host, action.host_qualifying_data),
                                  [gathering, one_more](Result<Evidence> evidence) {
                                    if (evidence) gathering->answer.host = to_message(*evidence);
                                    one_more();
                                  });
}

void Bridges::open_association(LinkPtr const& link, bridge::OpenAssociation& action) {
  MemberEntry const* member = parts_.membership.member().directory().member(action.peer);
  if (member == nullptr || !is_active(*member)) {
    return deliver(link,
                   bridge::AssociationRefused{action.peer.value() + " is not an active member"});
  }
  AssociationSpec spec;
  spec.peer = member->tunnel;
  spec.spi_in = Spi(action.spi_in);
  spec.spi_out = Spi(action.spi_out);
  spec.peer_name = action.peer;
  spec.label = action.label;
  spec.revision = action.policy_revision;
  spec.algorithm = action.algorithm;
  spec.lanes = action.lanes;
  spec.extended_sequence = action.extended_sequence;
  spec.replaces = action.replaces;
  spec.peer_member = true;    // verify_proof held, or the machine would not be here
  spec.peer_attested = true;  // and so did the evidence, if it was demanded
  auto opened =
      parts_.gate.open_association(spec, {std::move(action.key_in), std::move(action.key_out)});
  if (!opened) return deliver(link, bridge::AssociationRefused{opened.error().describe()});
  link->association = *opened;
  // An older connection for the same pair is now of no use: its association was replaced.
  for (auto const& other : std::list<LinkPtr>(links_)) {
    if (other == link || other->finished || other->machine->peer() != action.peer ||
        other->machine->label() != action.label) {
      continue;
    }
    other->association.reset();
    deliver(other, bridge::CloseWanted{"a newer negotiation replaced this one"});
  }
}

void Bridges::close_association(LinkPtr const& link, bridge::CloseAssociation const& action) {
  if (!link->association) return;
  gate::CloseReason const why = action.reason == bridge::Reason::challenge_failed ||
                                        action.reason == bridge::Reason::challenge_timeout
                                    ? gate::CloseReason::challenge_failed
                                    : gate::CloseReason::asked;
  parts_.gate.close_association(*link->association, why, action.text);
  link->association.reset();
}

void Bridges::leave_association(LinkPtr const& link, bridge::LeaveAssociation const& action) {
  if (!link->association) return;
  parts_.gate.leave_association(*link->association, action.until);
  link->association.reset();
  tend_unwatched();
}

void Bridges::close_unwatched(HostName const& peer, LabelName const& label,
                              std::string const& reason) {
  parts_.gate.close_where(
      [&](AssociationRecord const& record) {
        return record.unwatched_until && record.peer == peer && record.label == label;
      },
      gate::CloseReason::challenge_failed, reason);
}

void Bridges::tend_unwatched() {
  if (!tending_) tending_ = parts_.loop.after(Duration{}, [this] { tend(); });
}

void Bridges::tend() {
  tending_.reset();
  Instant const now = parts_.loop.now();
  Member const& self = parts_.membership.member();
  auto const left_us = [&](HostName const& peer) {
    MemberEntry const* const member = self.directory().member(peer);
    return self.state() == MemberState::active && (member == nullptr || !is_active(*member));
  };
  bool more = false;
  for (AssociationRecord const& record : parts_.gate.associations()) {
    if (!record.open || !record.unwatched_until) continue;
    if (now >= *record.unwatched_until || left_us(record.peer)) {
      parts_.gate.close_association(record.id, gate::CloseReason::expired,
                                    "nobody watched its peer, and no negotiation replaced it");
      continue;
    }
    more = true;
    if (runs(record.label)) want(record.peer, record.label);
  }
  if (more) tending_ = parts_.loop.after(kTendPeriod, [this] { tend(); });
}

void Bridges::rekey(HostName const& peer, LabelName const& label) {
  for (auto const& link : std::list<LinkPtr>(links_)) {
    if (link->machine->peer() == peer && link->machine->label() == label)
      deliver(link, bridge::RekeyWanted{});
  }
}

void Bridges::policy_changed(Revision revision) {
  for (auto const& link : std::list<LinkPtr>(links_))
    deliver(link, bridge::PolicyRevisionIs{revision});
}

void Bridges::association_ended(AssociationRecord const& record) {
  close_where([&](Link const& link) { return link.association == record.id; },
              record.reason.empty() ? "the gate ended the association" : record.reason);
}

void Bridges::close_where(std::function<bool(Link const&)> const& matches,
                          std::string const& reason) {
  for (auto const& link : std::list<LinkPtr>(links_)) {
    if (!link->finished && matches(*link)) deliver(link, bridge::CloseWanted{reason});
  }
}

void Bridges::close_peer(HostName const& peer, std::string const& reason) {
  close_where([&](Link const& link) { return link.machine->peer() == peer; }, reason);
}

void Bridges::close_label(HostName const& peer, LabelName const& label, std::string const& reason) {
  close_where(
      [&](Link const& link) {
        return link.machine->peer() == peer && link.machine->label() == label;
      },
      reason);
}

void Bridges::close_all_of_label(LabelName const& label, std::string const& reason) {
  close_where([&](Link const& link) { return link.machine->label() == label; }, reason);
}

void Bridges::close_all(std::string const& reason) {
  close_where([](Link const&) { return true; }, reason);
}

}  // namespace shamon
