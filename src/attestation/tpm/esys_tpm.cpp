// Tpm through the TSS's ESYS layer: any TPM 2.0, a simulated one included.
#include <algorithm>

#include "attestation/limits.hpp"
#include "attestation/tpm.hpp"
#include "attestation/tpm/esys_context.hpp"
#include "attestation/tpm/marshal.hpp"
#include "attestation/tpm/templates.hpp"

namespace shamon {
namespace {

constexpr TPM2B_SENSITIVE_CREATE kNoSensitive{};
constexpr TPM2B_DATA kNoOutsideInfo{};
constexpr TPML_PCR_SELECTION kNoCreationPcrs{};

TPML_PCR_SELECTION to_tpm(PcrSelection const& pcrs) noexcept {
  TPML_PCR_SELECTION out{};
  out.count = 1;
  out.pcrSelections[0].hash = static_cast<TPMI_ALG_HASH>(pcrs.bank);
  out.pcrSelections[0].sizeofSelect = 3;
  for (unsigned i = 0; i < 3; ++i) {
    out.pcrSelections[0].pcrSelect[i] = static_cast<BYTE>(pcrs.mask >> (8 * i) & 0xff);
  }
  return out;
}

std::uint32_t mask_of(TPML_PCR_SELECTION const& selection) noexcept {
  if (selection.count == 0) return 0;
  std::uint32_t mask = 0;
  for (unsigned i = 0; i < 3 && i < selection.pcrSelections[0].sizeofSelect; ++i) {
    mask |= std::uint32_t{selection.pcrSelections[0].pcrSelect[i]} << (8 * i);
  }
  return mask;
}

class EsysTpm final : public Tpm {
 public:
  explicit EsysTpm(std::unique_ptr<EsysContext> context) : context_(std::move(context)) {}

  Result<Bytes> ek_public(KeyType type) override;
  Result<std::optional<Certificate>> ek_certificate(KeyType type) override;
  Result<AttestationKey> create_ak(KeyType type) override;
  Result<AttestationKey> persist_ak(AttestationKey const& key, std::uint32_t handle) override;
  Result<Bytes> activate_credential(KeyType ek, AttestationKey const& ak,
                                    CredentialBlob const& blob) override;
  Result<SignedQuote> quote(AttestationKey const& ak, ByteView qualifying_data,
                            PcrSelection const& pcrs) override;
  Result<std::vector<Digest>> read_pcrs(PcrSelection const& pcrs) override;
  Result<std::vector<HashAlgorithm>> active_banks() override;
  Status extend(PcrIndex pcr, std::vector<Digest> const& digests) override;

 private:
  ESYS_CONTEXT* esys() const noexcept { return context_->get(); }
  Result<TpmObject> create_primary(ESYS_TR hierarchy, TPM2B_PUBLIC const& area);
  Result<TpmObject> from_handle(TPM2_HANDLE handle);
  Result<TpmObject> load_ek(KeyType type);
  Result<TpmObject> load_ak(AttestationKey const& key);
  Result<Bytes> public_of(ESYS_TR object);
  Result<TpmObject> endorsement_session();
  Result<Bytes> read_nv(ESYS_TR index, std::size_t size);
  Status free_handle_for_ak(std::uint32_t handle);

  std::unique_ptr<EsysContext> context_;
};

Result<TpmObject> EsysTpm::create_primary(ESYS_TR hierarchy, TPM2B_PUBLIC const& area) {
  ESYS_TR handle = ESYS_TR_NONE;
  TPM2B_PUBLIC* out_public = nullptr;
  TPM2B_CREATION_DATA* creation = nullptr;
  TPM2B_DIGEST* creation_hash = nullptr;
  TPMT_TK_CREATION* ticket = nullptr;
  TSS2_RC const code = with_retries([&] {
    return Esys_CreatePrimary(esys(), hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                              &kNoSensitive, &area, &kNoOutsideInfo, &kNoCreationPcrs, &handle,
                              &out_public, &creation, &creation_hash, &ticket);
  });
  EsysPtr<TPM2B_PUBLIC> const keep_public(out_public);
  EsysPtr<TPM2B_CREATION_DATA> const keep_creation(creation);
  EsysPtr<TPM2B_DIGEST> const keep_hash(creation_hash);
  EsysPtr<TPMT_TK_CREATION> const keep_ticket(ticket);
  if (code != TSS2_RC_SUCCESS) return fail_tpm("create primary key", code);
  return TpmObject(esys(), handle, TpmObject::Kind::transient);
}

Result<TpmObject> EsysTpm::from_handle(TPM2_HANDLE handle) {
  ESYS_TR object = ESYS_TR_NONE;
  TSS2_RC const code = with_retries([&] {
    return Esys_TR_FromTPMPublic(esys(), handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &object);
  });
  if (code != TSS2_RC_SUCCESS) return fail_tpm("open handle", code);
  return TpmObject(esys(), object, TpmObject::Kind::persistent);
}

Result<TpmObject> EsysTpm::load_ek(KeyType type) {
  EkKind const kind = ek_kind(type);
  auto const stored = context_->has_handle(kind.persistent_handle);
  if (!stored) return pass(stored);
  if (*stored) return from_handle(kind.persistent_handle);
  return create_primary(ESYS_TR_RH_ENDORSEMENT, ek_template(type));
}

Result<TpmObject> EsysTpm::load_ak(AttestationKey const& key) {
  if (key.private_area.empty()) {
    auto const stored = context_->has_handle(key.handle);
    if (!stored) return pass(stored);
    if (!*stored) return fail(Errc::not_found, "no attestation key under its persistent handle");
    return from_handle(key.handle);
  }
  auto const area =
      unmarshal<TPM2B_PUBLIC>(key.public_area, Tss2_MU_TPM2B_PUBLIC_Unmarshal, "TPM2B_PUBLIC");
  if (!area) return pass(area);
  auto const wrapped =
      unmarshal<TPM2B_PRIVATE>(key.private_area, Tss2_MU_TPM2B_PRIVATE_Unmarshal, "TPM2B_PRIVATE");
  if (!wrapped) return pass(wrapped);
  auto const parent = create_primary(ESYS_TR_RH_OWNER, storage_primary_template());
  if (!parent) return pass(parent);
  ESYS_TR handle = ESYS_TR_NONE;
  TSS2_RC const code = with_retries([&] {
    return Esys_Load(esys(), parent->get(), ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &*wrapped,
                     &*area, &handle);
  });
  if (code != TSS2_RC_SUCCESS) return fail_tpm("load attestation key", code);
  return TpmObject(esys(), handle, TpmObject::Kind::transient);
}

Result<Bytes> EsysTpm::public_of(ESYS_TR object) {
  TPM2B_PUBLIC* area = nullptr;
  TPM2B_NAME* name = nullptr;
  TPM2B_NAME* qualified_name = nullptr;
  TSS2_RC const code = with_retries([&] {
    return Esys_ReadPublic(esys(), object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area, &name,
                           &qualified_name);
  });
  EsysPtr<TPM2B_PUBLIC> const keep(area);
  EsysPtr<TPM2B_NAME> const keep_name(name);
  EsysPtr<TPM2B_NAME> const keep_qualified(qualified_name);
  if (code != TSS2_RC_SUCCESS) return fail_tpm("read public area", code);
  return marshal(*area, Tss2_MU_TPM2B_PUBLIC_Marshal, "TPM2B_PUBLIC");
}

Result<Bytes> EsysTpm::ek_public(KeyType type) {
  auto const ek = load_ek(type);
  if (!ek) return pass(ek, "endorsement key");
  return public_of(ek->get());
}

Result<Bytes> EsysTpm::read_nv(ESYS_TR index, std::size_t size) {
  // Part 1 §37: one read is bounded by TPM_PT_NV_BUFFER_MAX, which every TPM has at 512 or more.
  constexpr std::size_t kPieceBytes = 512;
  Bytes out;
  while (out.size() < size) {
    auto const want = static_cast<UINT16>(std::min(kPieceBytes, size - out.size()));
    TPM2B_MAX_NV_BUFFER* raw = nullptr;
    TSS2_RC const code = with_retries([&] {
      return Esys_NV_Read(esys(), ESYS_TR_RH_OWNER, index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                          ESYS_TR_NONE, want, static_cast<UINT16>(out.size()), &raw);
    });
    EsysPtr<TPM2B_MAX_NV_BUFFER> const piece(raw);
    if (code != TSS2_RC_SUCCESS) return fail_tpm("read NV index", code);
    if (piece->size == 0) return fail(Errc::tpm, "NV read returned nothing");
    append(out, {piece->buffer, piece->size});
  }
  return out;
}

Result<std::optional<Certificate>> EsysTpm::ek_certificate(KeyType type) {
  TPM2_HANDLE const index = ek_kind(type).certificate_index;
  auto const exists = context_->has_handle(index);
  if (!exists) return pass(exists);
  if (!*exists) return std::optional<Certificate>{};
  auto const object = from_handle(index);
  if (!object) return pass(object, "EK certificate");
  TPM2B_NV_PUBLIC* raw = nullptr;
  TPM2B_NAME* raw_name = nullptr;
  TSS2_RC const code = with_retries([&] {
    return Esys_NV_ReadPublic(esys(), object->get(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &raw,
                              &raw_name);
  });
  EsysPtr<TPM2B_NV_PUBLIC> const area(raw);
  EsysPtr<TPM2B_NAME> const name(raw_name);
  if (code != TSS2_RC_SUCCESS) return fail_tpm("read NV public area", code);
  if (area->nvPublic.dataSize > kEkCertificateBytesMax) {
    return fail(Errc::too_large, "EK certificate index is too large");
  }
  auto der = read_nv(object->get(), area->nvPublic.dataSize);
  if (!der) return pass(der, "EK certificate");
  // The index may be longer than the certificate in it; DER says itself where it ends.
  if (der->size() > 4 && (*der)[0] == 0x30 && (*der)[1] == 0x82) {
    std::size_t const whole = 4u + ((*der)[2] << 8 | (*der)[3]);
    if (whole < der->size()) der->resize(whole);
  }
  auto certificate = Certificate::from_der(*der);
  if (!certificate) return pass(certificate, "EK certificate");
  return std::optional<Certificate>(std::move(*certificate));
}

Result<AttestationKey> EsysTpm::create_ak(KeyType type) {
  if (type == KeyType::ecdsa_p384) {
    return fail(Errc::unsupported, "attestation keys are ECDSA P-256 or RSA-2048");
  }
  auto const parent = create_primary(ESYS_TR_RH_OWNER, storage_primary_template());
  if (!parent) return pass(parent, "parent of attestation key");
  TPM2B_PUBLIC const area = ak_template(type);
  TPM2B_PRIVATE* wrapped = nullptr;
  TPM2B_PUBLIC* made = nullptr;
  TPM2B_CREATION_DATA* creation = nullptr;
  TPM2B_DIGEST* creation_hash = nullptr;
  TPMT_TK_CREATION* ticket = nullptr;
  TSS2_RC const code = with_retries([&] {
    return Esys_Create(esys(), parent->get(), ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                       &kNoSensitive, &area, &kNoOutsideInfo, &kNoCreationPcrs, &wrapped, &made,
                       &creation, &creation_hash, &ticket);
  });
  EsysPtr<TPM2B_PRIVATE> const keep_private(wrapped);
  EsysPtr<TPM2B_PUBLIC> const keep_public(made);
  EsysPtr<TPM2B_CREATION_DATA> const keep_creation(creation);
  EsysPtr<TPM2B_DIGEST> const keep_hash(creation_hash);
  EsysPtr<TPMT_TK_CREATION> const keep_ticket(ticket);
  if (code != TSS2_RC_SUCCESS) return fail_tpm("create attestation key", code);
  auto public_area = marshal(*made, Tss2_MU_TPM2B_PUBLIC_Marshal, "TPM2B_PUBLIC");
  if (!public_area) return pass(public_area);
  auto private_area = marshal(*wrapped, Tss2_MU_TPM2B_PRIVATE_Marshal, "TPM2B_PRIVATE");
  if (!private_area) return pass(private_area);
  return AttestationKey{std::move(*public_area), std::move(*private_area), 0};
}

Status EsysTpm::free_handle_for_ak(std::uint32_t handle) {
  auto const taken = context_->has_handle(handle);
  if (!taken) return pass(taken);
  if (!*taken) return {};
  auto const old = from_handle(handle);
  if (!old) return pass(old);
  auto const bytes = public_of(old->get());
  if (!bytes) return pass(bytes);
  auto const area = parse_tpm_public(*bytes);
  if (!area || !is_restricted_signing_key(*area)) {
    return fail(Errc::conflict, "the persistent handle holds a key that is no attestation key");
  }
  ESYS_TR gone = ESYS_TR_NONE;
  TSS2_RC const code = with_retries([&] {
    return Esys_EvictControl(esys(), ESYS_TR_RH_OWNER, old->get(), ESYS_TR_PASSWORD, ESYS_TR_NONE,
                             ESYS_TR_NONE, handle, &gone);
  });
  if (code != TSS2_RC_SUCCESS) return fail_tpm("evict attestation key", code);
  return {};
}

Result<AttestationKey> EsysTpm::persist_ak(AttestationKey const& key, std::uint32_t handle) {
  if (handle < TPM2_PERSISTENT_FIRST || handle > TPM2_PERSISTENT_LAST) {
    return fail(Errc::invalid, "not a persistent handle");
  }
  auto const ak = load_ak(key);
  if (!ak) return pass(ak);
  auto const freed = free_handle_for_ak(handle);
  if (!freed) return pass(freed);
  ESYS_TR stored = ESYS_TR_NONE;
  TSS2_RC const code = with_retries([&] {
    return Esys_EvictControl(esys(), ESYS_TR_RH_OWNER, ak->get(), ESYS_TR_PASSWORD, ESYS_TR_NONE,
                             ESYS_TR_NONE, handle, &stored);
  });
  if (code != TSS2_RC_SUCCESS) return fail_tpm("persist attestation key", code);
  TpmObject const object(esys(), stored, TpmObject::Kind::persistent);
  auto public_area = public_of(object.get());
  if (!public_area) return pass(public_area);
  return AttestationKey{std::move(*public_area), {}, handle};
}

Result<TpmObject> EsysTpm::endorsement_session() {
  constexpr TPMT_SYM_DEF kNoEncryption{TPM2_ALG_NULL, {}, {}};
  ESYS_TR session = ESYS_TR_NONE;
  TSS2_RC code = with_retries([&] {
    return Esys_StartAuthSession(esys(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ESYS_TR_NONE, nullptr, TPM2_SE_POLICY, &kNoEncryption,
                                 TPM2_ALG_SHA256, &session);
  });
  if (code != TSS2_RC_SUCCESS) return fail_tpm("start policy session", code);
  TpmObject object(esys(), session, TpmObject::Kind::transient);
  TPM2B_TIMEOUT* timeout = nullptr;
  TPMT_TK_AUTH* ticket = nullptr;
  code = with_retries([&] {
    return Esys_PolicySecret(esys(), ESYS_TR_RH_ENDORSEMENT, session, ESYS_TR_PASSWORD,
                             ESYS_TR_NONE, ESYS_TR_NONE, nullptr, nullptr, nullptr, 0, &timeout,
                             &ticket);
  });
  EsysPtr<TPM2B_TIMEOUT> const keep_timeout(timeout);
  EsysPtr<TPMT_TK_AUTH> const keep_ticket(ticket);
  if (code != TSS2_RC_SUCCESS) return fail_tpm("satisfy the endorsement key's policy", code);
  return object;
}

Result<Bytes> EsysTpm::activate_credential(KeyType ek_type, AttestationKey const& ak,
                                           CredentialBlob const& blob) {
  auto const id_object =
      unmarshal<TPM2B_ID_OBJECT>(blob.id_object, Tss2_MU_TPM2B_ID_OBJECT_Unmarshal, "credential");
  if (!id_object) return pass(id_object);
  auto const secret = unmarshal<TPM2B_ENCRYPTED_SECRET>(
      blob.encrypted_secret, Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal, "encrypted seed");
  if (!secret) return pass(secret);
  auto const key = load_ak(ak);
  if (!key) return pass(key);
  auto const ek = load_ek(ek_type);
  if (!ek) return pass(ek);
  std::optional<TpmObject> session;
  if (!ek_kind(ek_type).with_password) {
    auto started = endorsement_session();
    if (!started) return pass(started);
    session.emplace(std::move(*started));
  }
  TPM2B_DIGEST* raw = nullptr;
  // Not repeated by hand: a policy session is spent by its first use; ESYS repeats by itself.
  TSS2_RC const code = Esys_ActivateCredential(esys(), key->get(), ek->get(), ESYS_TR_PASSWORD,
                                               session ? session->get() : ESYS_TR_PASSWORD,
                                               ESYS_TR_NONE, &*id_object, &*secret, &raw);
  EsysPtr<TPM2B_DIGEST> const revealed(raw);
  if (code != TSS2_RC_SUCCESS) return fail_tpm("activate credential", code);
  return Bytes(revealed->buffer, revealed->buffer + revealed->size);
}

Result<SignedQuote> EsysTpm::quote(AttestationKey const& ak, ByteView qualifying_data,
                                   PcrSelection const& pcrs) {
  if (qualifying_data.size() > kQualifyingDataBytesMax) {
    return fail(Errc::too_large, "qualifying data is longer than a quote can hold");
  }
  auto const key = load_ak(ak);
  if (!key) return pass(key);
  TPM2B_DATA data{};
  data.size = static_cast<UINT16>(qualifying_data.size());
  std::copy(qualifying_data.begin(), qualifying_data.end(), data.buffer);
  TPMT_SIG_SCHEME scheme{};
  scheme.scheme = TPM2_ALG_NULL;  // the key's own
  TPML_PCR_SELECTION const selection = to_tpm(pcrs);
  TPM2B_ATTEST* raw_attest = nullptr;
  TPMT_SIGNATURE* raw_signature = nullptr;
  TSS2_RC const code = with_retries([&] {
    return Esys_Quote(esys(), key->get(), ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data,
                      &scheme, &selection, &raw_attest, &raw_signature);
  });
  EsysPtr<TPM2B_ATTEST> const attest(raw_attest);
  EsysPtr<TPMT_SIGNATURE> const signature(raw_signature);
  if (code != TSS2_RC_SUCCESS) return fail_tpm("quote", code);
  auto signature_bytes = marshal(*signature, Tss2_MU_TPMT_SIGNATURE_Marshal, "TPMT_SIGNATURE");
  if (!signature_bytes) return pass(signature_bytes);
  return SignedQuote{Bytes(attest->attestationData, attest->attestationData + attest->size),
                     std::move(*signature_bytes)};
}

Result<std::vector<Digest>> EsysTpm::read_pcrs(PcrSelection const& pcrs) {
  std::vector<Digest> out;
  PcrSelection left = pcrs;
  while (left.mask != 0) {  // one answer holds at most 8 digests
    TPML_PCR_SELECTION const selection = to_tpm(left);
    UINT32 counter = 0;
    TPML_PCR_SELECTION* raw_read = nullptr;
    TPML_DIGEST* raw_values = nullptr;
    TSS2_RC const code = with_retries([&] {
      return Esys_PCR_Read(esys(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &selection, &counter,
                           &raw_read, &raw_values);
    });
    EsysPtr<TPML_PCR_SELECTION> const read(raw_read);
    EsysPtr<TPML_DIGEST> const values(raw_values);
    if (code != TSS2_RC_SUCCESS) return fail_tpm("read PCRs", code);
    std::uint32_t const got = mask_of(*read) & left.mask;
    if (got == 0) return fail(Errc::unsupported, "the TPM has no such PCRs in this bank");
    for (UINT32 i = 0; i < values->count && i < 8; ++i) {
      auto digest =
          Digest::from_bytes(pcrs.bank, {values->digests[i].buffer, values->digests[i].size});
      if (!digest) return pass(digest);
      out.push_back(*digest);
    }
    left.mask &= ~got;
  }
  return out;
}

Result<std::vector<HashAlgorithm>> EsysTpm::active_banks() {
  TPMI_YES_NO more = 0;
  TPMS_CAPABILITY_DATA* raw = nullptr;
  TSS2_RC const code = with_retries([&] {
    return Esys_GetCapability(esys(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_PCRS, 0, 1,
                              &more, &raw);
  });
  EsysPtr<TPMS_CAPABILITY_DATA> const data(raw);
  if (code != TSS2_RC_SUCCESS) return fail_tpm("list PCR banks", code);
  std::vector<HashAlgorithm> banks;
  auto const& assigned = data->data.assignedPCR;
  for (UINT32 i = 0; i < assigned.count && i < TPM2_NUM_PCR_BANKS; ++i) {
    auto const& bank = assigned.pcrSelections[i];
    bool const active = std::any_of(bank.pcrSelect, bank.pcrSelect + 3, [](BYTE b) { return b; });
    if (!active) continue;
    switch (bank.hash) {
      case TPM2_ALG_SHA1:
      case TPM2_ALG_SHA256:
      case TPM2_ALG_SHA384:
      case TPM2_ALG_SHA512: banks.push_back(static_cast<HashAlgorithm>(bank.hash)); break;
      default: return fail(Errc::unsupported, "the TPM has a PCR bank of an unknown algorithm");
    }
  }
  return banks;
}

Status EsysTpm::extend(PcrIndex pcr, std::vector<Digest> const& digests) {
  if (pcr.value() >= kPcrCount) return fail(Errc::invalid, "no such PCR");
  auto const banks = active_banks();
  if (!banks) return pass(banks);
  TPML_DIGEST_VALUES values{};
  for (Digest const& digest : digests) {
    if (values.count == TPM2_NUM_PCR_BANKS) return fail(Errc::invalid, "too many digests");
    auto& slot = values.digests[values.count++];
    slot.hashAlg = static_cast<TPMI_ALG_HASH>(digest.algorithm());
    std::copy(digest.bytes().begin(), digest.bytes().end(), reinterpret_cast<BYTE*>(&slot.digest));
  }
  // A bank that is left out would let later extends of it be chosen freely.
  for (HashAlgorithm bank : *banks) {
    bool const given = std::any_of(digests.begin(), digests.end(),
                                   [&](Digest const& d) { return d.algorithm() == bank; });
    if (!given) {
      return fail(Errc::invalid, "no digest for the active bank " + std::string(to_string(bank)));
    }
  }
  TSS2_RC const code = with_retries([&] {
    return Esys_PCR_Extend(esys(), ESYS_TR_PCR0 + pcr.value(), ESYS_TR_PASSWORD, ESYS_TR_NONE,
                           ESYS_TR_NONE, &values);
  });
  if (code != TSS2_RC_SUCCESS) return fail_tpm("extend PCR", code);
  return {};
}

}  // namespace

Result<std::unique_ptr<Tpm>> open_tpm(std::string const& tcti) {
  auto context = EsysContext::connect(tcti);
  if (!context) return pass(context);
  return std::unique_ptr<Tpm>(std::make_unique<EsysTpm>(std::move(*context)));
}

}  // namespace shamon
