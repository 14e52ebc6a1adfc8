// IMA measurement lists, binary and ascii: templates ima, ima-ng, ima-sig (kernel
// Documentation/security/IMA-templates). A violation entry carries an all-zero template digest and extends all ones.
#pragma once

#include <string>
#include <vector>

#include "measurement/pcr.hpp"

namespace shamon {

struct ImaEntry {
  std::uint64_t offset = 0;             ///< of the entry in the log (binary: bytes; ascii: bytes)
  PcrIndex pcr{10};
  bool violation = false;
  Digest template_digest;               ///< as logged (SHA-1, or the list's algorithm)
  std::string template_name;            ///< "ima-ng"
  Digest file_digest;                   ///< of the file; meaningless for violations
  std::string path;                     ///< file name hint
  Bytes signature;                      ///< ima-sig; may be empty
  Bytes template_data;                  ///< what a bank's digest is computed over; empty if ascii
};

/// Reads entries one after the other so that a suffix can be folded in: keep the object, feed it more.
struct ImaLog { std::vector<ImaEntry> entries; };

Result<ImaLog> parse_ima_binary(ByteView log, std::uint64_t base_offset = 0);
Result<ImaLog> parse_ima_ascii(std::string_view log);
/// Looks at the first bytes.
Result<ImaLog> parse_ima(ByteView log);

/// Extends `value` (PCR 10 of `bank`) by the entries. For a bank that is not the logged one, the
/// template digest is computed over the template data.
/// The logged template digest is checked against the data; the first entry that does not match is
/// the error (`malformed`, offset).
Result<Digest> fold_ima(std::vector<ImaEntry> const& entries, HashAlgorithm bank, Digest value);

}  // namespace shamon
