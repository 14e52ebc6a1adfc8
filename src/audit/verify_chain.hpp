// Does a journal say what its daemon wrote? Bytes in, verdict out: `shamon audit verify`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "audit/chain.hpp"

namespace shamon {

struct JournalFile {
  std::string name;  ///< for the verdict
  ByteView bytes;
};

enum class ChainFault : std::uint8_t {
  none,
  malformed,      ///< a line is no line of a journal
  altered,        ///< a line is not the one its successor was chained to
  removed,        ///< numbers are missing
  inserted,       ///< a line that no other line is chained to stands among them
  reordered,      ///< the lines are there, in another order
  bad_signature,  ///< a head does not sign what stands before it: the chain was made anew
  wrong_key,      ///< signed by a key that was not given
  truncated,      ///< the journal ends before a head that is known to have been signed
  unsigned_tail,  ///< asked for: nothing may stand behind the last head
  empty,          ///< no line at all
};
char const* to_string(ChainFault fault) noexcept;

struct ChainVerdict {
  ChainFault fault = ChainFault::none;
  std::string file;        ///< of the first offending line
  std::uint64_t line = 0;  ///< from 1; 0: the file as a whole
  std::uint64_t sequence = 0;
  std::string text;  ///< what is wrong, one sentence
  // What was read, up to the fault.
  HostName host;
  std::uint64_t records = 0, heads = 0, restarts = 0, notes = 0;
  std::uint64_t first_sequence = 0, last_sequence = 0;
  std::uint64_t last_signed = 0;     ///< number of the last head that holds; 0: none
  std::uint64_t unsigned_lines = 0;  ///< behind it: chained, not signed yet
  std::uint64_t torn_bytes = 0;      ///< at the end, without a newline: never acknowledged
  bool ended_cleanly = false;        ///< the last line is a head signed at shutdown

  bool holds() const noexcept { return fault == ChainFault::none; }
};

struct ChainExpectations {
  std::vector<PublicKey> keys;       ///< any of them may have signed
  std::optional<std::string> known;  ///< a head's line that was kept elsewhere, without newline
  bool all_signed = false;
};

/// The files of one journal, in any order. The first fault found in the order of the chain is told.
ChainVerdict verify_chain(std::span<JournalFile const> files, ChainExpectations const& expected);

}  // namespace shamon
