// Messages 1–2: a machine proves which TPM it has; the name is its own from then on.
#include <fmt/format.h>

#include "attestation/enrolment.hpp"
#include "authority/core.hpp"
#include "base/encoding.hpp"

namespace shamon {

/// Who vouches for the EK: its maker's chain, or an operator.
Answer<std::string> AuthorityCore::endorse(RegisterRequest const& request, TpmPublicArea const& ek,
                                           std::string const& fingerprint, WallTime now) const {
  if (request.ek_certificate.empty()) {
    if (options_.approved_eks.contains(fingerprint)) return "EK approved by an operator";
    return refuse(
        Errc::untrusted,
        fmt::format("the TPM has no EK certificate and no operator approved its EK {}; an "
                    "operator can, in approved_eks of the authority's configuration",
                    fingerprint));
  }
  auto const certificate = Certificate::from_der(request.ek_certificate);
  if (!certificate) return refuse(certificate.error(), "EK certificate");
  std::vector<Certificate> intermediates;
  for (auto const& der : request.ek_intermediates) {
    auto intermediate = Certificate::from_der(der);
    if (!intermediate) return refuse(intermediate.error(), "EK intermediate certificate");
    intermediates.push_back(std::move(*intermediate));
  }
  auto const ok = verify_ek(*certificate, ek, intermediates, options_.endorser_roots, now);
  if (!ok) return refuse(ok.error(), "EK certificate");
  return fmt::format("EK certificate {} of {}", certificate->serial_hex(), certificate->issuer());
}

/// A name has one EK and an EK one name, for ever.
Answer<bool> AuthorityCore::check_binding(HostName const& host,
                                          std::string const& fingerprint) const {
  Member const* const known = find(host);
  if (known != nullptr && known->record.ek_fingerprint != fingerprint) {
    return refuse(Errc::conflict, fmt::format("{} is registered with another TPM (EK {})",
                                              host.value(), known->record.ek_fingerprint));
  }
  auto const other = by_ek_.find(fingerprint);
  if (other != by_ek_.end() && other->second != host) {
    return refuse(Errc::conflict,
                  fmt::format("this TPM is registered under the name {}", other->second.value()));
  }
  if (known == nullptr && members_.size() >= kHostsMax) {
    return refuse(Errc::too_large, "the coalition has as many machines as it may");
  }
  return true;
}

Answer<RegisterChallenge> AuthorityCore::register_host(RegisterRequest const& request,
                                                       WallTime now) {
  if (!is_valid_name(request.host.value())) return refuse(Errc::invalid, "a machine needs a name");
  if (request.platform.size() > kClaimBytesMax || request.location.size() > kClaimBytesMax) {
    return refuse(Errc::too_large, "platform and location are short names");
  }
  auto const ek = parse_tpm_public(request.ek_public);
  if (!ek) return refuse(ek.error(), "EK public area");
  auto const ak = parse_tpm_public(request.ak_public);
  if (!ak) return refuse(ak.error(), "AK public area");
  if (!is_restricted_signing_key(*ak)) {
    return refuse(Errc::untrusted, "the AK is not a restricted signing key of a TPM");
  }
  std::string const fingerprint = ek->key.spki_sha256().hex();
  if (auto ok = check_binding(request.host, fingerprint); !ok) return refuse(ok.error());
  auto source = endorse(request, *ek, fingerprint, now);
  if (!source) {
    note("refused", request.host.value(), source.error().message, now);
    return refuse(source.error());
  }
  std::erase_if(registrations_, [&](auto const& entry) { return entry.second.until <= now; });
  if (registrations_.size() >= kPendingRegistrationsMax) {
    return refuse(Errc::unreachable, "too many registrations at once; try again in a minute");
  }
  PendingRegistration pending{request, fingerprint, std::move(*source),
                              options_.random(kSecretBytes), now + kRegistrationLife};
  auto blob = make_credential(*ek, ak->name, pending.secret);
  if (!blob) return refuse(blob.error(), "make the credential");
  std::string const id = to_hex(options_.random(16));
  registrations_.emplace(id, std::move(pending));
  return RegisterChallenge{id, std::move(blob->id_object), std::move(blob->encrypted_secret)};
}

Answer<Registered> AuthorityCore::activate(ActivateRequest const& request, WallTime now) {
  auto const entry = registrations_.find(request.id);
  if (entry == registrations_.end()) return refuse(Errc::stale, "no such registration is open");
  PendingRegistration const pending = std::move(entry->second);
  registrations_.erase(entry);  // one attempt
  if (pending.until <= now) return refuse(Errc::stale, "the registration took too long");
  bool const right = equal_constant_time(pending.secret, request.secret);
  if (!right || pending.request.host != request.host) {
    note("refused", request.host.value(), "credential activation failed", now);
    return refuse(Errc::untrusted,
                  "the secret is wrong: the AK is not in the TPM of this EK, or not loaded");
  }
  if (auto ok = check_binding(request.host, pending.ek_fingerprint); !ok) {
    return refuse(ok.error());
  }
  Member const* const known = find(request.host);
  HostRecord record = known != nullptr ? known->record : HostRecord{};
  bool const new_key = record.ak_public != pending.request.ak_public;
  bool const was_member = record.host_state() == HostState::active;
  if (known == nullptr) record.set_state(HostState::registered);
  record.host = request.host;
  record.ek_fingerprint = pending.ek_fingerprint;
  record.ek_public = pending.request.ek_public;
  record.ak_public = pending.request.ak_public;
  record.platform = pending.request.platform;
  record.location = pending.request.location;
  record.control = pending.request.control;
  record.tunnel = pending.request.tunnel;
  StoreBatch batch;
  if (was_member && new_key) {  // its proofs were made with the key it no longer uses
    record.set_state(HostState::suspect);
    batch.changes.push_back(change(ChangeKind::member_suspect, now));
    batch.changes.back().member = to_member_entry(record);
    batch.changes.back().text = "it registered a new attestation key";
  }
  batch.hosts.push_back(record);
  if (auto ok = commit(std::move(batch), now); !ok) return refuse(ok.error());
  Member& member = members_[request.host];
  member.record = std::move(record);
  if (new_key) member.memory = {};
  by_ek_[pending.ek_fingerprint] = request.host;
  trust_.set_registered(member.record, pending.source);
  note("registered", request.host.value(), pending.source, now);
  return Registered{request.host, pending.ek_fingerprint};
}

}  // namespace shamon
