// The binary form (kernel security/integrity/ima/ima_fs.c, ima_measurements_show): integers are
// little endian, an entry is
//   PCR (4) ‖ template digest ‖ size of name (4) ‖ name ‖ size of data (4) ‖ data
// and the old template leaves out the size of its data and of the file digest.
#include <fmt/format.h>

#include "base/cursor.hpp"
#include "measurement/ima_template.hpp"
#include "measurement/limits.hpp"

namespace shamon {
namespace {

using ima::Template;

/// The list's own algorithm is nowhere written: SHA-1 but for the per-bank lists of new kernels.
/// The size of the template name stands behind the digest, so its value tells.
HashAlgorithm logged_algorithm(ByteView log) noexcept {
  for (HashAlgorithm a :
       {HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha384, HashAlgorithm::sha512}) {
    Cursor at(log);
    at.take(4 + digest_size(a));
    std::uint32_t const size = at.u32le();
    if (!at.ok() || size > kImaTemplateNameBytesMax) continue;
    if (ima::find_template(as_text(at.take(size))) != nullptr) return a;
  }
  return HashAlgorithm::sha1;
}

class BinaryReader {
 public:
  BinaryReader(ByteView log, std::uint64_t base_offset)
      : cursor_(log, base_offset), algorithm_(logged_algorithm(log)) {}

  std::optional<Error> read(ImaLog& log) {
    log.entries.reserve(std::min(cursor_.remaining() / kTypicalEntryBytes + 1, kImaEntriesMax));
    std::optional<Error> offence;
    while (!cursor_.at_end() && !offence) {
      entry_ = ImaEntry{};
      entry_.offset = cursor_.offset();
      if (log.entries.size() == kImaEntriesMax) {
        offence = offend(Errc::too_large, fmt::format("more than {} entries", kImaEntriesMax));
      } else {
        offence = read_entry(log.entries.size());
      }
      if (!offence) {
        log.entries.push_back(entry_);
        log.end_offset = cursor_.offset();
      }
    }
    std::move(rebuilt_).hand_over(log);
    return offence;
  }

 private:
  static constexpr std::size_t kTypicalEntryBytes = 100;

  std::optional<Error> offend(Errc code, std::string why) const {
    return Error{code, std::move(why), entry_.offset};
  }

  std::optional<Error> read_entry(std::size_t index) {
    std::uint32_t const pcr = cursor_.u32le();
    ByteView const digest = cursor_.take(digest_size(algorithm_));
    std::uint32_t const name_size = cursor_.u32le();
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends inside the head of an entry");
    if (pcr >= kPcrCount) {
      return offend(Errc::malformed, fmt::format("entry for PCR {}, there are {}", pcr, kPcrCount));
    }
    if (name_size > kImaTemplateNameBytesMax) {
      return offend(Errc::malformed, fmt::format("template name of {} bytes, {} are the limit",
                                                 name_size, kImaTemplateNameBytesMax));
    }
    ByteView const name = cursor_.take(name_size);
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends inside a template name");
    entry_.pcr = PcrIndex{static_cast<std::uint8_t>(pcr)};
    entry_.template_digest = *Digest::from_bytes(algorithm_, digest);
    entry_.violation = ima::is_all_zero(digest);
    entry_.template_name = as_text(name);
    Template const* const kind = ima::find_template(entry_.template_name);
    if (kind == nullptr) return offend(Errc::unsupported, "unknown template");
    return kind->name == ima::kOldTemplate ? read_old_fields(index) : read_fields(*kind);
  }

  std::optional<Error> read_fields(Template const& kind) {
    std::uint32_t const size = cursor_.u32le();
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends before the template data");
    if (size > kImaTemplateBytesMax) {
      return offend(Errc::too_large, fmt::format("template data of {} bytes, {} are the limit",
                                                 size, kImaTemplateBytesMax));
    }
    entry_.template_data = cursor_.take(size);
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends inside template data");
    Cursor fields(entry_.template_data);
    ByteView const digest = fields.take(fields.u32le());
    ByteView const path = fields.take(fields.u32le());
    for (std::size_t i = 2; i < kind.fields; ++i) {
      ByteView const field = fields.take(fields.u32le());
      if (i == 2 && kind.third_is_signature) entry_.signature = field;
    }
    if (!fields.ok()) return offend(Errc::malformed, "template data ends inside a field");
    if (!fields.at_end()) return offend(Errc::malformed, "template data has more than its fields");
    if (path.empty() || path.back() != 0) {
      return offend(Errc::malformed, "file name does not end with a zero byte");
    }
    entry_.path = as_text(path.first(path.size() - 1));
    return ima::set_file_digest(digest, entry_);
  }

  std::optional<Error> read_old_fields(std::size_t index) {
    ByteView const digest = cursor_.take(digest_size(HashAlgorithm::sha1));
    std::uint32_t const size = cursor_.u32le();
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends before a file name");
    if (size >= ima::kOldNameBytes) {
      return offend(Errc::malformed, fmt::format("file name of {} bytes, {} are the limit", size,
                                                 ima::kOldNameBytes - 1));
    }
    ByteView const path = cursor_.take(size);
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends inside a file name");
    entry_.path = as_text(path);
    entry_.file_digest = *Digest::from_bytes(HashAlgorithm::sha1, digest);
    rebuilt_.add(index, ima::old_template_data(digest, entry_.path));
    return std::nullopt;
  }

  Cursor cursor_;
  HashAlgorithm algorithm_;
  ImaEntry entry_;
  ima::RebuiltData rebuilt_;
};

}  // namespace

ImaReading read_ima_binary(ByteView log, std::uint64_t base_offset) {
  ImaReading reading;
  reading.log.end_offset = base_offset;
  if (log.size() > kImaLogBytesMax) {
    reading.offence =
        Error{Errc::too_large,
              fmt::format("IMA log of {} bytes, {} are the limit", log.size(), kImaLogBytesMax),
              base_offset};
    return reading;
  }
  reading.log.storage.push_back(to_bytes(log));
  reading.offence = BinaryReader(reading.log.storage.front(), base_offset).read(reading.log);
  return reading;
}

}  // namespace shamon
