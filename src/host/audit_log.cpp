#include "host/audit_log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"

namespace shamon {
namespace {

constexpr std::size_t kSequenceDigits = 12;

std::string full_file_name(std::uint64_t first) {
  std::string number = std::to_string(first);
  number.insert(0, kSequenceDigits - std::min(kSequenceDigits, number.size()), '0');
  return "audit." + number + ".jsonl";
}

/// The full files, oldest first.
std::vector<std::string> full_files(std::string const& folder) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (auto const& entry : std::filesystem::directory_iterator(folder, ignored)) {
    std::string const name = entry.path().filename();
    if (name.size() == full_file_name(1).size() && name.starts_with("audit.") &&
        name.ends_with(".jsonl")) {
      out.push_back(name);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// What is at the end of a file.
struct End {
  std::uint64_t first = 0;  ///< number of the first line
  std::uint64_t sequence = 0;
  std::string previous;  ///< digest of the last whole line
  std::size_t whole_bytes = 0;
  std::string torn;  ///< what follows the last newline
  std::vector<AuditRow> rows;
};

/// Errors: `malformed` where the first or the last line is none of a journal.
Result<End> read_end(std::string const& path) {
  auto const text = read_text_file(path, kAuditFileReadBytesMax);
  if (!text) return pass(text);
  End out;
  std::size_t const newline = text->rfind('\n');
  out.whole_bytes = newline == std::string::npos ? 0 : newline + 1;
  out.torn = text->substr(out.whole_bytes);
  std::string_view rest = std::string_view(*text).substr(0, out.whole_bytes);
  while (!rest.empty()) {
    std::string_view const line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    auto parsed = parse_audit_line(line);
    if (!parsed && (out.first == 0 || rest.empty())) return pass(parsed, path);
    if (!parsed) continue;  // verify() says what is wrong with it
    if (out.first == 0) out.first = parsed->sequence;
    out.sequence = parsed->sequence;
    if (rest.empty()) out.previous = line_digest(line);
    if (parsed->record) out.rows.push_back(std::move(*parsed->record));
  }
  return out;
}

Result<PrivateKey> load_or_make_key(std::string const& folder, bool& made) {
  std::string const path = folder + "/" + kAuditKeyName;
  if (::access(path.c_str(), F_OK) == 0) {
    auto pem = read_text_file(path);
    if (!pem) return pass(pem);
    auto key = PrivateKey::from_pem(*pem);
    if (!key) return pass(key, path);
    return key;
  }
  made = true;
  auto key = PrivateKey::generate(KeyType::ecdsa_p256);
  if (!key) return pass(key);
  auto kept = write_file_atomically(path, as_bytes(key->pem()), 0600);
  if (!kept) return pass(kept);
  return key;
}

AuditStart describe_process(HostName host) {
  AuditStart out;
  out.host = std::move(host);
  out.pid = static_cast<std::uint64_t>(::getpid());
  out.uid = ::getuid();
  std::array<char, 4096> program{};
  ssize_t const size = ::readlink("/proc/self/exe", program.data(), program.size());
  out.program = size > 0 ? std::string(program.data(), static_cast<std::size_t>(size)) : "shamond";
  if (auto context = read_text_file("/proc/self/attr/current", 4096)) {
    out.context = context->substr(0, context->find_first_of(std::string_view("\0\n", 2)));
  }
  return out;
}

}  // namespace

Result<AuditLog> AuditLog::open(std::string folder, HostName host, WallTime now,
                                AuditFileLimits limits) {
  std::string const current = folder + "/" + kAuditFileName;
  bool new_key = false;
  auto key = load_or_make_key(folder, new_key);
  if (!key) return pass(key);
  End end;
  std::optional<AuditNote> unreadable;
  bool const present = ::access(current.c_str(), F_OK) == 0;
  if (present) {
    auto read = read_end(current);
    if (read) end = std::move(*read);
    if (!read) {
      std::string const aside = current + ".unreadable-" + std::to_string(now.unix_ms);
      if (::rename(current.c_str(), aside.c_str()) != 0) return fail_errno("rename " + current);
      unreadable = AuditNote{
          now,
          "lost",
          "the file could not be gone on with and is now " + aside + ": " + read.error().describe(),
          0,
          {}};
    }
  }
  bool const fresh_file = end.sequence == 0;
  auto const full = full_files(folder);
  if (fresh_file && !full.empty()) {
    auto last = read_end(folder + "/" + full.back());
    if (!last) return pass(last);
    std::string torn = std::move(end.torn);
    end = std::move(*last);
    end.torn = std::move(torn);
  }
  bool const first = end.sequence == 0;
  AuditLog log(std::move(folder), ChainWriter(std::move(*key), end.sequence,
                                              first ? no_previous() : std::move(end.previous)));
  log.limits_ = limits;
  log.writer_ = describe_process(std::move(host));
  log.earlier_ = std::move(end.rows);
  log.file_first_ = fresh_file ? end.sequence + 1 : end.first;
  if (auto head = read_text_file(log.path(kAuditHeadName))) {
    log.last_head_ = head->substr(0, head->find('\n'));
  }
  if (auto opened = log.open_file(); !opened) return pass(opened);
  log.file_bytes_ = fresh_file ? 0 : end.whole_bytes;
  if (::ftruncate(log.file_.get(), static_cast<off_t>(log.file_bytes_)) != 0) {
    return fail_errno("cut off the torn line of " + current);
  }
  auto published =
      write_file_atomically(log.path(kAuditPublicName), as_bytes(log.public_key_pem()), 0644);
  if (!published) return pass(published);
  auto begun = log.begin(first ? "first" : new_key ? "new key" : "restart", now);
  if (begun && unreadable) begun = log.append(*unreadable);
  if (begun && !end.torn.empty()) {
    begun = log.append({now, "torn", "the writer was ended in the middle of a line",
                        end.torn.size(), to_bytes(end.torn.substr(0, kTornBytesKept))});
  }
  if (!begun) return pass(begun);
  return log;
}

Status AuditLog::open_file() {
  std::string const name = path(kAuditFileName);
  file_.reset(::open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file_) return fail_errno("open " + name);
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Errc::conflict, name + " is written to by another process");
  }
  file_bytes_ = 0;
  return {};
}

Status AuditLog::write_line(std::string const& line, bool is_head) {
  ByteView rest = as_bytes(line);
  while (!rest.empty()) {
    ssize_t const n = ::write(file_.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      auto failed = fail_errno("write " + path(kAuditFileName));
      // Half a line must not stand in front of the next.
      if (::ftruncate(file_.get(), static_cast<off_t>(file_bytes_)) != 0) {
        failed = fail_errno("cut half a line off " + path(kAuditFileName));
      }
      return failed;
    }
    rest = rest.subspan(static_cast<std::size_t>(n));
  }
  file_bytes_ += line.size();
  chain_.written(line, is_head);
  return {};
}

Status AuditLog::begin(std::string reason, WallTime now) {
  writer_.time = now;
  writer_.reason = std::move(reason);
  writer_.key = chain_.key_name();
  return write_line(chain_.next(writer_), false);
}

Status AuditLog::sign(std::string reason, WallTime now) {
  auto line = chain_.next_head(std::move(reason), now);
  if (!line) return pass(line);
  if (auto written = write_line(*line, true); !written) return written;
  head_due_.reset();
  if (::fdatasync(file_.get()) != 0) return fail_errno("fdatasync " + path(kAuditFileName));
  last_head_ = line->substr(0, line->size() - 1);
  return write_file_atomically(path(kAuditHeadName), as_bytes(*line), 0644);
}

Status AuditLog::make_room(std::size_t bytes, WallTime now) {
  if (file_bytes_ + bytes <= limits_.bytes_max || file_bytes_ == 0) return {};
  if (auto signed_head = sign("rotation", now); !signed_head) return signed_head;
  std::string const full = path(full_file_name(file_first_));
  if (::rename(path(kAuditFileName).c_str(), full.c_str()) != 0)
    return fail_errno("rename to " + full);
  if (auto opened = open_file(); !opened) return opened;
  file_first_ = chain_.sequence() + 1;
  if (auto begun = begin("rotation", now); !begun) return begun;
  auto const files = full_files(folder_);
  for (std::size_t i = 0; i + limits_.full_files_kept < files.size(); ++i) {
    if (::unlink(path(files[i]).c_str()) != 0) return fail_errno("unlink " + files[i]);
    AuditNote note{now,
                   "removed",
                   files[i] + ": no more than " + std::to_string(limits_.full_files_kept) +
                       " full files are kept",
                   0,
                   {}};
    if (auto told = write_line(chain_.next(note), false); !told) return told;
  }
  return {};
}

void AuditLog::tell_losses(WallTime now) {
  if (lost_ == 0) return;
  AuditNote note{now, "lost", "records could not be written", lost_, {}};
  if (write_line(chain_.next(note), false)) lost_ = 0;
}

Result<std::uint64_t> AuditLog::append(AuditRow row) {
  WallTime const time = row.time;
  tell_losses(time);
  std::string line = chain_.next(row);
  std::uint64_t const before = chain_.sequence();
  Status const room = make_room(line.size(), time);
  if (room && chain_.sequence() != before) line = chain_.next(std::move(row));
  Status const written = room ? write_line(line, false) : room;
  if (!written) {
    ++lost_;
    return pass(written);
  }
  return chain_.sequence();
}

Status AuditLog::append(AuditNote note) {
  if (auto room = make_room(kTornBytesKept * 2, note.time); !room) return room;
  return write_line(chain_.next(std::move(note)), false);
}

Status AuditLog::tick(Instant now, WallTime wall) {
  tell_losses(wall);
  if (chain_.unsigned_lines() == 0) return {};
  if (!head_due_) head_due_ = now + kAuditHeadPeriod;
  if (now < *head_due_ && chain_.unsigned_lines() < kAuditHeadRecords) return {};
  return sign("periodic", wall);
}

Status AuditLog::close(WallTime wall) {
  tell_losses(wall);
  return sign("shutdown", wall);
}

}  // namespace shamon
