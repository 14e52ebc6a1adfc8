// IMA measurement lists, binary and ascii: templates ima, ima-ng, ima-sig and their later relatives
// (kernel Documentation/security/IMA-templates.rst). A violation entry carries an all-zero template
// digest and extends all ones.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measurement/pcr.hpp"

namespace shamon {

/// PCR that IMA extends (CONFIG_IMA_MEASURE_PCR_IDX).
inline constexpr PcrIndex kImaPcr{10};

/// Its views point into the buffers of the ImaLog it stands in.
struct ImaEntry {
  std::uint64_t offset = 0;  ///< of the entry in the log, in bytes
  PcrIndex pcr = kImaPcr;
  bool violation = false;
  Digest template_digest;          ///< as logged (SHA-1, or the list's algorithm)
  std::string_view template_name;  ///< "ima-ng"
  Digest file_digest;              ///< of the file; meaningless for violations
  std::string_view path;           ///< file name hint
  ByteView signature;              ///< ima-sig; may be empty
  ByteView template_data;          ///< what a bank's digest is computed over; rebuilt for ascii
};

/// Owns the bytes its entries view. It moves, but does not copy: a copy would view the original.
struct ImaLog {
  std::vector<ImaEntry> entries;
  std::uint64_t end_offset = 0;  ///< just behind the last entry: base offset of a suffix
  std::vector<Bytes> storage;    ///< what the views point into

  ImaLog() = default;
  ImaLog(ImaLog&&) noexcept = default;
  ImaLog& operator=(ImaLog&&) noexcept = default;
  ImaLog(ImaLog const&) = delete;
  ImaLog& operator=(ImaLog const&) = delete;
};

/// What a log held up to its first offence, for tools that show people a broken log. Verifiers use
/// the parsers below, which give nothing but the error.
struct ImaReading {
  ImaLog log;
  std::optional<Error> offence;  ///< with the offset of the entry it was found in
};
ImaReading read_ima_binary(ByteView log, std::uint64_t base_offset = 0);
ImaReading read_ima_ascii(std::string_view log);
ImaReading read_ima(ByteView log);  ///< binary or ascii by the first bytes

/// `base_offset` is where the given bytes stand in the whole log, when they are a suffix of it.
/// Errors: `malformed`/`truncated`/`too_large`, `unsupported` template or digest algorithm, each
/// with the offset of the entry. An empty input is an empty log.
Result<ImaLog> parse_ima_binary(ByteView log, std::uint64_t base_offset = 0);
Result<ImaLog> parse_ima_ascii(std::string_view log);
/// Looks at the first bytes.
Result<ImaLog> parse_ima(ByteView log);

/// The digest an entry extends a bank by: ones for a violation, otherwise the hash of its data.
Digest ima_extension(ImaEntry const& entry, HashAlgorithm bank);
/// Checks that the logged template digest is the digest of the data. Errors: `malformed` with the
/// entry's offset; `unsupported` for an entry of another PCR than 10.
Status check_ima_entry(ImaEntry const& entry);

/// Extends `value` (PCR 10 of `bank`) by the entries. For a bank that is not the logged one, the
/// template digest is computed over the template data.
/// The logged template digest is checked against the data; the first entry that does not match is
/// the error (`malformed`, offset).
Result<Digest> fold_ima(std::vector<ImaEntry> const& entries, HashAlgorithm bank, Digest value);

}  // namespace shamon
