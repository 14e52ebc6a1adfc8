// The journal as a chain: each line carries the SHA-256 of the line before it, and signed heads
// stand among the lines. What is hashed is the line as it stands in the file, without its newline,
// so that nobody needs a canonical form of JSON. docs/audit.md has the definition.
#pragma once

#include <optional>
#include <string>

#include "coalition/messages/operator.hpp"
#include "crypto/key.hpp"

namespace shamon {

/// A daemon began to write here: at its start, and as the first line of every file.
struct AuditStart {
  WallTime time;
  HostName host;
  std::string reason;                 ///< "first", "restart", "rotation" or "new key"
  std::uint64_t pid = 0, uid = 0;     ///< of the process
  std::string program, context, key;  ///< path; SELinux context; SHA-256 of the key's SPKI, hex
  static constexpr auto kFields =
      fields(field("time", &AuditStart::time), field("host", &AuditStart::host),
             field("reason", &AuditStart::reason), field("pid", &AuditStart::pid),
             field("uid", &AuditStart::uid), field("program", &AuditStart::program),
             field("context", &AuditStart::context), field("key", &AuditStart::key));
  static constexpr Limits kLimits{.bytes_max = 16u << 10};
};

/// A signature over every line before it, through the digest of the last of them.
struct AuditHead {
  WallTime time;
  std::string reason;  ///< "periodic", "rotation" or "shutdown"
  std::string key;     ///< SHA-256 of the signing key's SPKI, hex
  Bytes signature;     ///< ECDSA P-256 with SHA-256 over head_message()
  static constexpr auto kFields =
      fields(field("time", &AuditHead::time), field("reason", &AuditHead::reason),
             field("key", &AuditHead::key), field("signature", &AuditHead::signature));
  static constexpr Limits kLimits{.bytes_max = 4096};
};

/// What the journal says about itself.
struct AuditNote {
  WallTime time;
  std::string kind;  ///< "torn", "lost" or "removed"
  std::string text;
  std::uint64_t count = 0;  ///< bytes that were torn, records that were lost
  Bytes bytes;              ///< the torn bytes, at most kTornBytesKept
  static constexpr auto kFields =
      fields(field("time", &AuditNote::time), field("kind", &AuditNote::kind),
             field("text", &AuditNote::text), field("count", &AuditNote::count),
             field("bytes", &AuditNote::bytes));
  static constexpr Limits kLimits{.bytes_max = 32u << 10};
};

/// One line. Exactly one of the four is there.
struct AuditLine {
  std::uint64_t sequence = 0;  ///< from 1, one more than the line before
  std::string previous{};      ///< digest of the line before, hex; of nothing: no_previous()
  std::optional<AuditRow> record{};
  std::optional<AuditStart> start{};
  std::optional<AuditHead> head{};
  std::optional<AuditNote> note{};
  static constexpr auto kFields =
      fields(field("sequence", &AuditLine::sequence), field("previous", &AuditLine::previous),
             field("record", &AuditLine::record), field("start", &AuditLine::start),
             field("head", &AuditLine::head), field("note", &AuditLine::note));
  static constexpr Limits kLimits{.bytes_max = 64u << 10};
};

/// What the first line of all has for its predecessor: 64 zeros.
std::string const& no_previous();
/// SHA-256 of a line as it stands in a file, without its newline; hex.
std::string line_digest(std::string_view line);
/// Errors: `malformed` with the offset in the line; `invalid` if not exactly one part is there.
Result<AuditLine> parse_audit_line(std::string_view line);

/// What a head signs: "shamon-audit-head-v1:SEQUENCE:PREVIOUS:UNIX_MS:REASON".
std::string head_message(std::uint64_t sequence, std::string_view previous, WallTime time,
                         std::string_view reason);
bool head_holds(AuditLine const& line, PublicKey const& key);
/// SHA-256 of the SPKI, hex: how lines name a key.
std::string audit_key_name(PublicKey const& key);

/// The end of a chain, to which lines are added. It makes text; whoever holds it writes files.
class ChainWriter {
 public:
  /// `sequence` and `previous` are those of the last line, 0 and no_previous() before the first.
  ChainWriter(PrivateKey key, std::uint64_t sequence, std::string previous);

  /// Each makes the next line, newline included, without counting it as written.
  std::string next(AuditRow row) const;
  std::string next(AuditStart start) const;
  std::string next(AuditNote note) const;
  /// Errors: `crypto`.
  Result<std::string> next_head(std::string reason, WallTime time) const;
  /// The line made last stands in the file.
  void written(std::string_view line, bool is_head);

  std::uint64_t sequence() const noexcept { return sequence_; }
  std::uint64_t unsigned_lines() const noexcept { return unsigned_lines_; }
  PublicKey const& key() const noexcept { return public_; }
  std::string const& key_name() const noexcept { return key_name_; }

 private:
  std::string finish(AuditLine line) const;
  PrivateKey key_;
  PublicKey public_;
  std::string key_name_;
  std::uint64_t sequence_;
  std::string previous_;
  std::uint64_t unsigned_lines_ = 0;
};

}  // namespace shamon
