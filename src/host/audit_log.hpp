// The journal's files: audit.jsonl, which is written to, and audit.NUMBER.jsonl, which are full.
// One chain runs through all of them and through every restart (audit/chain.hpp).
#pragma once

#include <memory>

#include "audit/chain.hpp"
#include "audit/limits.hpp"
#include "base/fd.hpp"

namespace shamon {

inline constexpr char const* kAuditFileName = "audit.jsonl";
inline constexpr char const* kAuditKeyName = "audit.key";     ///< PKCS#8 PEM, 0600
inline constexpr char const* kAuditPublicName = "audit.pub";  ///< SPKI PEM
inline constexpr char const* kAuditHeadName = "audit.head";   ///< the last signed head's line

struct AuditFileLimits {
  std::uint64_t bytes_max = kAuditFileBytesMax;
  std::size_t full_files_kept = kAuditFilesKept;
};

class AuditLog {
 public:
  /// Goes on where the files in `folder` end, or begins. Makes the key if there is none. A torn
  /// last line is cut off and kept in a note. Errors: `system`; `conflict` if another process
  /// writes.
  static Result<AuditLog> open(std::string folder, HostName host, WallTime now,
                               AuditFileLimits limits = {});

  /// The row stands in the file when this returns its number: a kill of this process does not lose
  /// it. A loss of power may lose what follows the last head. Errors: `system`; the row is then
  /// counted, and a note tells the count as soon as something can be written again.
  Result<std::uint64_t> append(AuditRow row);
  Status append(AuditNote note);
  /// Signs a head if one is due.
  Status tick(Instant now, WallTime wall);
  /// Signs a head over all there is.
  Status close(WallTime wall);

  /// Rows of the current file from before this start, oldest first; once.
  std::vector<AuditRow> take_earlier() { return std::exchange(earlier_, {}); }
  std::string public_key_pem() const { return chain_.key().pem(); }
  std::string const& last_head() const noexcept { return last_head_; }  ///< line; empty: none yet
  AuditStart const& writer() const noexcept { return writer_; }

 private:
  AuditLog(std::string folder, ChainWriter chain)
      : folder_(std::move(folder)), chain_(std::move(chain)) {}
  std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }
  Status open_file();
  Status write_line(std::string const& line, bool is_head);
  Status begin(std::string reason, WallTime now);
  Status sign(std::string reason, WallTime now);
  Status make_room(std::size_t bytes, WallTime now);
  void tell_losses(WallTime now);

  std::string folder_;
  AuditFileLimits limits_;
  ChainWriter chain_;
  AuditStart writer_;
  UniqueFd file_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t file_first_ = 1;  ///< number of the file's first line
  std::uint64_t lost_ = 0;
  std::optional<Instant> head_due_;
  std::string last_head_;
  std::vector<AuditRow> earlier_;
};

}  // namespace shamon
