// A connection to a TPM through tpm2-tss: owned, its errors as ours, its objects flushed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>

#include "base/result.hpp"

namespace shamon {

/// A TPM's or the TSS's return code in words.
Error tpm_error(std::string_view doing, TSS2_RC code);
inline tl::unexpected<Error> fail_tpm(std::string_view doing, TSS2_RC code) {
  return tl::unexpected<Error>(tpm_error(doing, code));
}

/// True for the warnings by which a TPM asks for the same command once more
/// (TPM 2.0 Part 2 §6.6.3: RETRY, YIELDED, TESTING).
bool asks_for_retry(TSS2_RC code) noexcept;

/// Runs one ESYS call, again while the TPM asks for it.
template <class Call>
TSS2_RC with_retries(Call&& call) {
  constexpr int kAttemptsMax = 8;
  TSS2_RC code = call();
  for (int attempt = 1; attempt < kAttemptsMax && asks_for_retry(code); ++attempt) code = call();
  return code;
}

struct EsysDeleter {
  void operator()(void* pointer) const noexcept { Esys_Free(pointer); }
};
/// What ESYS allocates for an answer.
template <class T>
using EsysPtr = std::unique_ptr<T, EsysDeleter>;

class EsysContext {
 public:
  /// Connects and flushes transient objects and sessions that an earlier client left behind.
  static Result<std::unique_ptr<EsysContext>> connect(std::string const& tcti);
  EsysContext(EsysContext const&) = delete;
  EsysContext& operator=(EsysContext const&) = delete;
  ~EsysContext();

  ESYS_CONTEXT* get() const noexcept { return esys_; }
  /// Whether a persistent object or NV index exists.
  Result<bool> has_handle(TPM2_HANDLE handle);

 private:
  EsysContext() = default;
  void flush_range(TPM2_HANDLE first);
  TSS2_TCTI_CONTEXT* tcti_ = nullptr;
  ESYS_CONTEXT* esys_ = nullptr;
};

/// A handle of an object in the TPM: transient objects and sessions are flushed at the end,
/// persistent ones only forgotten.
class TpmObject {
 public:
  enum class Kind { transient, persistent };
  TpmObject(ESYS_CONTEXT* esys, ESYS_TR handle, Kind kind) noexcept
      : esys_(esys), handle_(handle), kind_(kind) {}
  TpmObject(TpmObject&& other) noexcept
      : esys_(other.esys_),
        handle_(std::exchange(other.handle_, ESYS_TR_NONE)),
        kind_(other.kind_) {}
  TpmObject& operator=(TpmObject&&) = delete;
  ~TpmObject();
  ESYS_TR get() const noexcept { return handle_; }

 private:
  ESYS_CONTEXT* esys_;
  ESYS_TR handle_;
  Kind kind_;
};

}  // namespace shamon
