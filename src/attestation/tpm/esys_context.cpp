#include "attestation/tpm/esys_context.hpp"

#include <chrono>
#include <cstdlib>
#include <thread>

#include <tss2/tss2_rc.h>

namespace shamon {
namespace {

// The TSS prints to standard error by itself. Our errors carry the same code in words, so it is
// kept quiet unless the user asked for its log.
void quieten_tss() {
  ::setenv("TSS2_LOG", "all+none", 0);
}

}  // namespace

Error tpm_error(std::string_view doing, TSS2_RC code) {
  char digits[16];
  std::snprintf(digits, sizeof digits, " (0x%x)", static_cast<unsigned>(code));
  return {Errc::tpm, std::string(doing) + ": " + Tss2_RC_Decode(code) + digits, {}};
}

bool asks_for_retry(TSS2_RC code) noexcept {
  return code == TPM2_RC_RETRY || code == TPM2_RC_YIELDED || code == TPM2_RC_TESTING;
}

namespace {
constexpr unsigned kConnectAttempts = 5;
constexpr std::chrono::milliseconds kConnectPause(40);
}  // namespace

Result<std::unique_ptr<EsysContext>> EsysContext::connect(std::string const& tcti) {
  quieten_tss();
  std::unique_ptr<EsysContext> context(new EsysContext);
  TSS2_RC code = Tss2_TctiLdr_Initialize(tcti.c_str(), &context->tcti_);
  // A software TPM serves one client at a time and may be busy letting the last one go.
  for (unsigned attempt = 1; code != TSS2_RC_SUCCESS && attempt < kConnectAttempts; ++attempt) {
    std::this_thread::sleep_for(kConnectPause);
    code = Tss2_TctiLdr_Initialize(tcti.c_str(), &context->tcti_);
  }
  if (code != TSS2_RC_SUCCESS) {
    context->tcti_ = nullptr;
    Error error = tpm_error("connect to TPM " + tcti, code);
    error.code = Errc::unreachable;
    return tl::unexpected<Error>(std::move(error));
  }
  code = Esys_Initialize(&context->esys_, context->tcti_, nullptr);
  if (code != TSS2_RC_SUCCESS) {
    context->esys_ = nullptr;
    return fail_tpm("initialise ESYS on " + tcti, code);
  }
  context->flush_range(TPM2_TRANSIENT_FIRST);
  context->flush_range(TPM2_LOADED_SESSION_FIRST);
  return context;
}

EsysContext::~EsysContext() {
  if (esys_ != nullptr) Esys_Finalize(&esys_);
  if (tcti_ != nullptr) Tss2_TctiLdr_Finalize(&tcti_);
}

void EsysContext::flush_range(TPM2_HANDLE first) {
  // A resource manager shows each client only its own objects, so there the list is empty. An
  // object that cannot be flushed is left: the operation that lacks its slot will say so.
  TPMI_YES_NO more = 0;
  TPMS_CAPABILITY_DATA* raw = nullptr;
  TSS2_RC const code = Esys_GetCapability(esys_, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                          TPM2_CAP_HANDLES, first, 64, &more, &raw);
  if (code != TSS2_RC_SUCCESS) return;
  EsysPtr<TPMS_CAPABILITY_DATA> const data(raw);
  auto const& handles = data->data.handles;
  for (UINT32 i = 0; i < handles.count && i < TPM2_MAX_CAP_HANDLES; ++i) {
    ESYS_TR object = ESYS_TR_NONE;
    if (Esys_TR_FromTPMPublic(esys_, handles.handle[i], ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                              &object) != TSS2_RC_SUCCESS) {
      continue;
    }
    if (Esys_FlushContext(esys_, object) != TSS2_RC_SUCCESS) Esys_TR_Close(esys_, &object);
  }
}

Result<bool> EsysContext::has_handle(TPM2_HANDLE handle) {
  TPMI_YES_NO more = 0;
  TPMS_CAPABILITY_DATA* raw = nullptr;
  TSS2_RC const code = with_retries([&] {
    return Esys_GetCapability(esys_, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
                              handle, 1, &more, &raw);
  });
  if (code != TSS2_RC_SUCCESS) return fail_tpm("list handles", code);
  EsysPtr<TPMS_CAPABILITY_DATA> const data(raw);
  return data->data.handles.count > 0 && data->data.handles.handle[0] == handle;
}

TpmObject::~TpmObject() {
  if (handle_ == ESYS_TR_NONE) return;
  if (kind_ == Kind::persistent) {
    Esys_TR_Close(esys_, &handle_);
  } else {
    Esys_FlushContext(esys_, handle_);
  }
}

}  // namespace shamon
