// Evidence of an attester (RFC 9334 §4): quote and the logs it commits to.
#pragma once

#include <string>
#include <vector>

#include "measurement/quote.hpp"

namespace shamon {

struct Evidence {
  Bytes attest;     ///< TPMS_ATTEST
  Bytes signature;  ///< TPMT_SIGNATURE
  Bytes event_log;  ///< whole TCG log (small), or empty for a VM without one
  Bytes ima_log;    ///< from `ima_offset` on
  std::uint64_t ima_offset = 0;
  std::uint32_t reset_count = 0;  ///< the boot the offset belongs to
};

/// What a verifier asks. The qualifying data of the quote is `nonce` itself (≤ 64 bytes); callers
/// that bind a channel pass H(peer nonce ‖ exporter ‖ …) as nonce.
struct Challenge {
  Bytes nonce;
  PcrSelection pcrs;
  std::uint64_t ima_offset = 0;
  std::uint32_t reset_count = 0;
};

/// What a verifier remembers of an attester between challenges, so that only suffixes are sent.
struct AppraisalMemory {
  std::uint32_t reset_count = 0;
  std::uint32_t restart_count = 0;
  std::uint64_t clock_ms = 0;
  std::uint64_t ima_offset = 0;
  Digest ima_pcr = Digest::zero(HashAlgorithm::sha256);  ///< PCR 10 folded up to ima_offset
  std::uint64_t ima_entries = 0;
  bool valid = false;
};

}  // namespace shamon
