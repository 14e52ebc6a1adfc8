// PCR values as tpm2_pcrread prints them: a line with the bank, then lines "10: 0x…".
#pragma once

#include <string_view>
#include <vector>

#include "measurement/pcr.hpp"

namespace shamon {

/// Only the PCRs the text gives are `touched` in the result. Errors: `malformed` with the offset of
/// the line, also for a bank or a PCR that stands there twice.
Result<std::vector<PcrBank>> parse_pcr_text(std::string_view text);

}  // namespace shamon
