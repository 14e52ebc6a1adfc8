#include "host/membership.hpp"

#include <charconv>

#include "attestation/measured_log.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/ipv4_text.hpp"

namespace shamon {
namespace {

std::string ak_path(std::string const& folder, char const* part) {
  return folder + "/ak." + part;
}
std::string revision_path(std::string const& folder) {
  return folder + "/revision";
}

MemberConfig member_config(HostConfig const& config, PrivateKey const& key, Revision last) {
  Bytes const random = random_bytes(8);
  std::uint64_t seed = 0;
  for (std::uint8_t byte : random) seed = seed << 8 | byte;
  return {config.name, key.public_key().spki_der(), last, seed};
}

/// A refusal the authority sent, or what HTTP said where the body is none.
Refusal refusal_of(HttpResponse const& response) {
  auto refusal = decode_json<Refusal>(response.body);
  if (refusal) return std::move(*refusal);
  return {"internal", "HTTP status " + std::to_string(response.status), {}};
}

template <class Reply>
member::Answer<Reply> answer_of(Result<HttpResponse> const& response) {
  if (!response) return tl::unexpected<Refusal>(member::to_refusal(response.error()));
  if (response->status / 100 != 2) return tl::unexpected<Refusal>(refusal_of(*response));
  auto reply = decode_json<Reply>(response->body);
  if (!reply) return tl::unexpected<Refusal>(member::to_refusal(reply.error()));
  return std::move(*reply);
}

}  // namespace

Result<AttestationKey> load_or_create_ak(Tpm& tpm, std::string const& folder) {
  auto public_area = read_file(ak_path(folder, "pub"), 4096);
  auto private_area = read_file(ak_path(folder, "priv"), 4096);
  if (public_area && private_area) return AttestationKey{*public_area, *private_area, 0};
  auto key = tpm.create_ak(KeyType::ecdsa_p256);
  if (!key) return key;
  auto written = write_file_atomically(ak_path(folder, "priv"), key->private_area);
  if (written) written = write_file_atomically(ak_path(folder, "pub"), key->public_area);
  if (!written) return pass(written);
  return key;
}

Result<Revision> load_revision(std::string const& folder) {
  std::string const path = revision_path(folder);
  auto text = read_text_file(path, 64);
  if (!text) return Revision{};
  std::uint64_t value = 0;
  auto const [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size()) {
    return fail(Errc::malformed,
                path +
                    " does not hold a revision; remove it only if you accept that an old "
                    "state of the coalition could then be played to this machine");
  }
  return Revision(value);
}

Membership::Membership(EventLoop& loop, TpmWorker& tpm, Journal& journal, HostConfig const& config,
                       PrivateKey tls_key, std::vector<Certificate> authority_ca, Handlers handlers)
    : loop_(loop),
      tpm_(tpm),
      journal_(journal),
      config_(config),
      tls_key_(std::move(tls_key)),
      authority_ca_(std::move(authority_ca)),
      handlers_(std::move(handlers)),
      member_(member_config(config, tls_key_,
                            load_revision(config.state_folder).value_or(Revision{}))) {}

Membership::~Membership() {
  if (timer_) loop_.cancel(*timer_);
}

Result<std::shared_ptr<TlsContext const>> Membership::tls_to_authority(TlsIdentity identity) const {
  return TlsContext::create({.role = TlsRole::client,
                             .identity = std::move(identity),
                             .trusted_roots = authority_ca_,
                             .require_peer_certificate = true,
                             .expected_peer_name = to_string(config_.authority.address)});
}

void Membership::start(AttestationKey ak) {
  ak_ = std::move(ak);
  auto tls = tls_to_authority({});
  if (!tls) {
    journal_.event("error", "tls", "", tls.error().describe());
    return;
  }
  stranger_ = std::make_unique<HttpClient>(loop_, TlsTarget{config_.authority, *tls});
  deliver(member::Start{});
}

void Membership::deliver(member::Event event) {
  queue_.push_back(std::move(event));
  if (delivering_) return;  // an action's effect answered at once: its turn comes below
  delivering_ = true;
  while (!queue_.empty()) {
    member::Event const next = std::move(queue_.front());
    queue_.pop_front();
    for (auto const& action : member_.on(next, loop_.now(), read_wall_clock())) perform(action);
  }
  delivering_ = false;
  arm_timer();
}

void Membership::arm_timer() {
  if (timer_) loop_.cancel(*timer_);
  timer_.reset();
  if (auto const deadline = member_.next_deadline()) {
    timer_ = loop_.at(*deadline, [this] { deliver(member::Timer{}); });
  }
}

template <class Event, class Reply, class Request>
void Membership::exchange(HttpClient& client, std::string const& path, Request const& request,
                          member::Ticket ticket) {
  client.call({.method = "POST", .target = path, .body = encode_json(request)},
              [this, ticket, alive = std::weak_ptr<int>(alive_)](Result<HttpResponse> response) {
                if (alive.expired()) return;
                Event event;
                event.ticket = ticket;
                event.answer = answer_of<Reply>(response);
                deliver(std::move(event));
              });
}

void Membership::perform(member::Action const& action) {
  struct Visitor {
    Membership& self;
    void operator()(member::SendRegister const& a) const { self.send_register(a.ticket); }
    void operator()(member::ActivateCredential const& a) const {
      CredentialBlob const blob{a.id_object, a.encrypted_secret};
      self.tpm_.run<Bytes>([ak = self.ak_, blob, type = self.ek_type_](
                               Tpm& tpm) { return tpm.activate_credential(type, ak, blob); },
                           [this_ = &self, ticket = a.ticket](Result<Bytes> secret) {
                             this_->deliver(member::SecretReady{ticket, std::move(secret)});
                           });
    }
    void operator()(member::SendActivate const& a) const {
      self.exchange<member::ActivateAnswer, Registered>(*self.stranger_, "/v1/activate", a.request,
                                                        a.ticket);
    }
    void operator()(member::RequestChallenge const& a) const {
      self.exchange<member::ChallengeAnswer, ChallengeMessage>(
          *self.stranger_, "/v1/challenge", ChallengeRequest{self.config_.name}, a.ticket);
    }
    void operator()(member::MakeQuote const& a) const {
      Challenge const challenge{a.qualifying_data,
                                {HashAlgorithm::sha256, a.challenge.pcr_mask},
                                a.challenge.ima_offset,
                                a.challenge.reset_count};
      self.make_evidence(challenge, [this_ = &self, ticket = a.ticket](Result<Evidence> evidence) {
        this_->deliver(
            member::QuoteReady{ticket, evidence ? Result<EvidenceMessage>(to_message(*evidence))
                                                : Result<EvidenceMessage>(pass(evidence))});
      });
    }
    void operator()(member::SendJoin const& a) const {
      self.exchange<member::JoinAnswer, JoinAccepted>(*self.stranger_, "/v1/join", a.request,
                                                      a.ticket);
    }
    void operator()(member::SendEvidence const& a) const {
      if (self.as_member_) {
        self.exchange<member::EvidenceAnswer, EvidenceAccepted>(*self.as_member_, "/v1/evidence",
                                                                a.request, a.ticket);
      }
    }
    void operator()(member::SendAcknowledgement const& a) const {
      if (!self.as_member_) return;
      self.as_member_->call(
          {.method = "POST",
           .target = "/v1/acknowledge",
           .body = encode_json(Acknowledgement{self.config_.name, a.revision})},
          [this_ = &self, ticket = a.ticket](Result<HttpResponse> r) {
            this_->deliver(member::AcknowledgeAnswer{ticket, r && r->status / 100 == 2});
          });
    }
    void operator()(member::OpenFeed const& a) const { self.open_feed(a); }
    void operator()(member::CloseFeed const&) const { self.feed_.reset(); }
    void operator()(member::ApplyPolicy const& a) const {
      self.handlers_.apply_policy(
          a.name, a.text, a.revision, [this_ = &self, revision = a.revision](Status status) {
            this_->deliver(member::PolicyApplied{revision, std::move(status)});
          });
    }
    void operator()(member::ApplyReferenceValues const& a) const {
      self.handlers_.apply_reference_values(a.values);
    }
    void operator()(member::UseMembership const& a) const { self.use_membership(a); }
    void operator()(member::SetLease const& a) const { self.handlers_.set_lease(a.until); }
    void operator()(member::Remember const& a) const {
      auto kept = write_file_atomically(revision_path(self.config_.state_folder),
                                        as_bytes(std::to_string(a.revision.value())));
      if (!kept) self.journal_.event("error", "revision", "", kept.error().describe());
    }
    void operator()(member::MemberChanged const&) const { self.handlers_.directory_changed(); }
    void operator()(member::VmChanged const&) const { self.handlers_.directory_changed(); }
    void operator()(member::CutPeer const& a) const { self.handlers_.cut_peer(a.host, a.reason); }
    void operator()(member::CutVm const& a) const { self.handlers_.cut_vm(a.vm, a.reason); }
    void operator()(member::CutAll const& a) const { self.handlers_.cut_all(a.reason); }
    void operator()(member::Record const& a) const { self.journal_.event(a.row); }
  };
  std::visit(Visitor{*this}, action);
}

void Membership::send_register(member::Ticket ticket) {
  struct Identity {
    KeyType type = KeyType::rsa;
    Bytes ek_public;
    std::optional<Certificate> certificate;
  };
  tpm_.run<Identity>(
      [](Tpm& tpm) -> Result<Identity> {
        // The first EK that its maker certified; without any, the RSA one for an operator to
        // approve.
        for (KeyType const type : {KeyType::rsa, KeyType::ecdsa_p384, KeyType::ecdsa_p256}) {
          auto certificate = tpm.ek_certificate(type);
          if (!certificate || !*certificate) continue;
          auto ek = tpm.ek_public(type);
          if (!ek) return pass(ek);
          return Identity{type, std::move(*ek), std::move(*certificate)};
        }
        auto ek = tpm.ek_public(KeyType::rsa);
        if (!ek) return pass(ek);
        return Identity{KeyType::rsa, std::move(*ek), {}};
      },
      [this, ticket](Result<Identity> identity) {
        if (!identity) {
          return deliver(member::RegisterAnswer{
              ticket, tl::unexpected<Refusal>(member::to_refusal(identity.error()))});
        }
        ek_type_ = identity->type;
        RegisterRequest request;
        request.host = config_.name;
        request.ek_public = identity->ek_public;
        if (identity->certificate) request.ek_certificate = identity->certificate->der();
        if (!config_.ek_intermediates_path.empty()) {
          auto pem = read_text_file(config_.ek_intermediates_path);
          auto chain =
              pem ? Certificate::all_from_pem(*pem) : Result<std::vector<Certificate>>(pass(pem));
          if (!chain) journal_.event("error", "ek_intermediates", "", chain.error().describe());
          for (auto const& certificate : chain.value_or(std::vector<Certificate>{})) {
            request.ek_intermediates.push_back(certificate.der());
          }
        }
        request.ak_public = ak_.public_area;
        request.platform = config_.platform;
        request.location = config_.location;
        request.control = config_.control;
        request.tunnel = config_.tunnel;
        exchange<member::RegisterAnswer, RegisterChallenge>(*stranger_, "/v1/register", request,
                                                            ticket);
      });
}

void Membership::make_evidence(Challenge const& challenge,
                               std::function<void(Result<Evidence>)> done) {
  LogPaths const logs{config_.event_log_path, config_.ima_log_path};
  tpm_.run<Evidence>(
      [ak = ak_, challenge, logs](Tpm& tpm) { return collect_evidence(tpm, ak, challenge, logs); },
      std::move(done));
}

void Membership::open_feed(member::OpenFeed const& action) {
  feed_.reset();
  if (!as_member_) {
    return deliver(
        member::FeedEnded{action.ticket, {"unreachable", "no membership certificate yet", {}}});
  }
  auto const ticket = feed_ticket_ = action.ticket;
  auto const alive = std::weak_ptr<int>(alive_);
  feed_ = as_member_->follow(
      {.target = "/v1/feed?from=" + std::to_string(action.from.value())},
      [this, ticket, alive](ServerSentEvent const& event) {
        if (!alive.expired()) deliver(member::FeedEvent{ticket, event.name, event.data});
      },
      [this, ticket, alive](Error const& error) {
        if (!alive.expired()) deliver(member::FeedEnded{ticket, member::to_refusal(error)});
      });
}

void Membership::use_membership(member::UseMembership const& action) {
  credentials_.proof = action.proof;
  if (!action.chain.empty()) {
    credentials_.chain.clear();
    for (auto const& pem : action.chain) {
      auto certificate = Certificate::from_pem(pem);
      if (!certificate) {
        journal_.event("error", "membership", "", certificate.error().describe());
        return;
      }
      credentials_.chain.push_back(std::move(*certificate));
    }
    auto tls = tls_to_authority({credentials_.chain, tls_key_});
    if (!tls) {
      journal_.event("error", "tls", "", tls.error().describe());
      return;
    }
    TlsTarget const authority{config_.authority, *tls};
    if (as_member_) {
      as_member_->turn_to(authority);  // what waits to be said is said under the new certificate
    } else {
      as_member_ = std::make_unique<HttpClient>(loop_, authority);
    }
    stranger_->rest();  // the authority need not keep a session for who will not use it
    // An open feed goes over to the connection of the new certificate.
    if (feed_) open_feed({feed_ticket_, member_.revision()});
  }
  handlers_.use_credentials(credentials_);
  send_reports();
}

void Membership::report_vm(VmEntry const& vm) {
  vm_reports_.insert_or_assign(vm.vm, vm);
  send_reports();
}

void Membership::send_reports() {
  if (!as_member_) return;
  for (auto const& [name, entry] : vm_reports_) {
    as_member_->call(
        {.method = "POST", .target = "/v1/vms", .body = encode_json(VmReport{config_.name, entry})},
        [this, entry, alive = std::weak_ptr<int>(alive_)](Result<HttpResponse> response) {
          if (alive.expired() || !response || response->status / 100 != 2) return;
          auto const found = vm_reports_.find(entry.vm);
          if (found != vm_reports_.end() && found->second.state == entry.state) {
            vm_reports_.erase(found);
          }
        });
  }
}

void Membership::report_failure(FailureReport report) {
  if (!as_member_) return;
  report.reporter = config_.name;
  as_member_->call({.method = "POST", .target = "/v1/failures", .body = encode_json(report)},
                   [this, alive = std::weak_ptr<int>(alive_)](Result<HttpResponse> response) {
                     if (alive.expired() || (response && response->status / 100 == 2)) return;
                     journal_.event("error", "failure report", "",
                                    response ? "HTTP status " + std::to_string(response->status)
                                             : response.error().describe());
                   });
}

}  // namespace shamon
