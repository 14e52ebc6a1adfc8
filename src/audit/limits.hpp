// Named bounds of this folder.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace shamon {

/// One line of a journal, its newline included.
inline constexpr std::size_t kAuditLineBytesMax = 128u << 10;
/// A journal file larger than this is not verified: none is written so large (kAuditFileBytesMax).
inline constexpr std::size_t kAuditFileReadBytesMax = 64u << 20;
/// A file that would grow beyond this is closed with a signed head and another begun.
inline constexpr std::uint64_t kAuditFileBytesMax = 16u << 20;
/// So many closed files are kept; the oldest goes first, and the journal says so.
inline constexpr std::size_t kAuditFilesKept = 15;

/// A head is signed this long after the first record it covers, or after this many.
inline constexpr Duration kAuditHeadPeriod = std::chrono::seconds(10);
inline constexpr std::uint64_t kAuditHeadRecords = 1000;

/// Of one (VM, hook, reason): so many records at once, then one each kAuditRefill.
inline constexpr std::uint32_t kAuditBurst = 20;
inline constexpr Duration kAuditRefill = std::chrono::seconds(10);
/// What was held back is told this often.
inline constexpr Duration kAuditSummaryPeriod = std::chrono::seconds(10);
/// Buckets at once. When all are in use, the one unused for longest is told and given up.
inline constexpr std::size_t kAuditBucketsMax = 1024;

/// Of a torn line, so many bytes are kept in the note about it.
inline constexpr std::size_t kTornBytesKept = 4096;

}  // namespace shamon
