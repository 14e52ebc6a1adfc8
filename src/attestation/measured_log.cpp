#include "attestation/measured_log.hpp"

#include <algorithm>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attestation/appraisal.hpp"
#include "attestation/limits.hpp"
#include "base/fd.hpp"

namespace shamon {
namespace {

/// The log file, locked while this object lives.
class LockedLog {
 public:
  static Result<LockedLog> open(std::string const& path, int flags, int lock) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
    if (!fd) return fail_errno("open " + path);
    int locked = 0;
    do {
      locked = ::flock(fd.get(), lock);
    } while (locked != 0 && errno == EINTR);
    if (locked != 0) return fail_errno("lock " + path);
    return LockedLog(std::move(fd), path);
  }

  Result<Bytes> read_all() const {
    Bytes out;
    std::uint8_t buffer[16384];
    while (true) {
      ssize_t const got = ::pread(fd_.get(), buffer, sizeof buffer, static_cast<off_t>(out.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno("read " + path_);
      if (got == 0) return out;
      append(out, {buffer, static_cast<std::size_t>(got)});
      if (out.size() > kEvidenceEventLogBytesMax) {
        return fail(Errc::too_large, path_ + " is over the size limit of an event log");
      }
    }
  }

  Status append_synced(ByteView bytes) const {
    while (!bytes.empty()) {
      ssize_t const written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail_errno("write " + path_);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    if (::fsync(fd_.get()) != 0) return fail_errno("fsync " + path_);
    return {};
  }

 private:
  LockedLog(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::string path_;
};

/// The header for a new log; nothing for one that has these banks already.
Result<Bytes> header_if_new(Bytes const& existing, std::vector<HashAlgorithm> const& banks) {
  if (existing.empty()) return encode_event_log_header(banks);
  auto const log = parse_event_log(existing);
  if (!log) return pass(log, "the event log to append to");
  if (!log->crypto_agile || log->banks != banks) {
    return fail(Errc::conflict, "the event log's banks are not the TPM's active ones");
  }
  return Bytes{};
}

Status measure(Tpm& tpm, std::string const& log_path, BootEvent event) {
  auto const banks = tpm.active_banks();
  if (!banks) return pass(banks);
  if (banks->empty()) return fail(Errc::tpm, "the TPM has no active PCR bank");
  auto const log = LockedLog::open(log_path, O_RDWR | O_CREAT | O_APPEND, LOCK_EX);
  if (!log) return pass(log);
  auto const existing = log->read_all();
  if (!existing) return pass(existing);
  auto bytes = header_if_new(*existing, *banks);
  if (!bytes) return pass(bytes);
  append(*bytes, encode_event(event));
  if (auto written = log->append_synced(*bytes); !written) return written;
  return tpm.extend(event.pcr, event.digests);
}

Result<Digest> digest_of(HashAlgorithm bank, MeasuredContent const& content) {
  if (auto const* file = std::get_if<FileContent>(&content)) return hash_file(bank, file->path);
  return hash(bank, std::get<ByteView>(content));
}

Result<std::vector<Digest>> digests_of(Tpm& tpm, MeasuredContent const& content) {
  auto const banks = tpm.active_banks();
  if (!banks) return pass(banks);
  std::vector<Digest> digests;
  for (HashAlgorithm bank : *banks) {
    auto const digest = digest_of(bank, content);
    if (!digest) return pass(digest);
    digests.push_back(*digest);
  }
  return digests;
}

/// The part of the IMA log behind `offset`. The file is a kernel's and grows while it is read.
Result<Bytes> read_suffix(std::string const& path, std::uint64_t offset) {
  UniqueFd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path);
  Bytes out;
  std::uint64_t skipped = 0;  // securityfs files know no pread
  std::uint8_t buffer[65536];
  while (true) {
    ssize_t const got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + path);
    if (got == 0) break;
    ByteView piece(buffer, static_cast<std::size_t>(got));
    std::uint64_t const skip = std::min<std::uint64_t>(piece.size(), offset - skipped);
    skipped += skip;
    append(out, piece.subspan(static_cast<std::size_t>(skip)));
    if (out.size() > kEvidenceImaLogBytesMax) {
      return fail(Errc::too_large, "the IMA log is over its size limit");
    }
  }
  if (skipped < offset) return fail(Errc::invalid, "the IMA log is shorter than the offset asked");
  return out;
}

}  // namespace

Status measure_component(Tpm& tpm, std::string const& log_path, PcrIndex pcr,
                         std::string const& component, MeasuredContent const& content) {
  auto digests = digests_of(tpm, content);
  if (!digests) return pass(digests, "measure " + component);
  auto const measured = measure(tpm, log_path,
                                {0, pcr, static_cast<std::uint32_t>(EventType::ipl),
                                 std::move(*digests), encode_component_event_data(component)});
  if (!measured) return pass(measured, "measure " + component);
  return {};
}

Status measure_event(Tpm& tpm, std::string const& log_path, PcrIndex pcr, EventType type,
                     ByteView data) {
  auto digests = digests_of(tpm, data);
  if (!digests) return pass(digests);
  return measure(tpm, log_path,
                 {0, pcr, static_cast<std::uint32_t>(type), std::move(*digests), to_bytes(data)});
}

Status measure_separators(Tpm& tpm, std::string const& log_path) {
  constexpr std::uint8_t kSeparator[4] = {0, 0, 0, 0};
  for (std::uint8_t pcr = 0; pcr < 8; ++pcr) {
    auto const measured =
        measure_event(tpm, log_path, PcrIndex(pcr), EventType::separator, kSeparator);
    if (!measured) return measured;
  }
  return {};
}

Result<Evidence> collect_evidence(Tpm& tpm, AttestationKey const& ak, Challenge const& challenge,
                                  LogPaths const& logs) {
  Evidence evidence;
  std::optional<LockedLog> log;
  if (!logs.event_log.empty()) {
    auto opened = LockedLog::open(logs.event_log, O_RDONLY, LOCK_SH);
    if (!opened) return pass(opened);
    log.emplace(std::move(*opened));
  }
  auto quote = tpm.quote(ak, challenge.nonce, challenge.pcrs);
  if (!quote) return pass(quote);
  if (log) {
    auto whole = log->read_all();
    if (!whole) return pass(whole);
    evidence.event_log = std::move(*whole);
  }
  auto const statement = parse_quote(quote->attest);
  if (!statement) return pass(statement);
  evidence.reset_count = statement->reset_count;
  if (!logs.ima_log.empty()) {
    bool const same_boot = statement->reset_count == challenge.reset_count;
    evidence.ima_offset = same_boot ? challenge.ima_offset : 0;
    auto suffix = read_suffix(logs.ima_log, evidence.ima_offset);
    if (!suffix) return pass(suffix);
    evidence.ima_log = std::move(*suffix);
  }
  evidence.attest = std::move(quote->attest);
  evidence.signature = std::move(quote->signature);
  return evidence;
}

}  // namespace shamon
