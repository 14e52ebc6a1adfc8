// TPM structures to and from their bytes (TPM 2.0 Part 2), through tss2-mu.
#pragma once

#include <tss2/tss2_mu.h>

#include "attestation/tpm/esys_context.hpp"
#include "base/bytes.hpp"

namespace shamon {

/// `malformed`. Out of line because g++ 12 sees an overrun in std::string's move when it is not.
tl::unexpected<Error> fail_not_well_formed(std::string_view what, std::size_t offset);

/// `Marshal` is a Tss2_MU_…_Marshal function.
template <class T, class Marshal>
Result<Bytes> marshal(T const& value, Marshal function, std::string_view what) {
  Bytes out(sizeof(T) + 64);
  std::size_t offset = 0;
  TSS2_RC const code = function(&value, out.data(), out.size(), &offset);
  if (code != TSS2_RC_SUCCESS) return fail_tpm("marshal " + std::string(what), code);
  out.resize(offset);
  return out;
}

/// Errors: `malformed` if the bytes are not exactly one such structure.
template <class T, class Unmarshal>
Result<T> unmarshal(ByteView bytes, Unmarshal function, std::string_view what) {
  T value{};
  std::size_t offset = 0;
  TSS2_RC const code = function(bytes.data(), bytes.size(), &offset, &value);
  if (code != TSS2_RC_SUCCESS || offset != bytes.size()) {
    return fail_not_well_formed(what, offset);
  }
  return value;
}

}  // namespace shamon
