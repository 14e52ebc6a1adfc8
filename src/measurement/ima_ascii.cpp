// The ascii form (kernel security/integrity/ima/ima_fs.c, ima_ascii_measurements_show): a line is
//   PCR SP template digest SP template name SP fields
// From it the template data, and so every bank's digest, can be rebuilt.
#include <charconv>

#include <fmt/format.h>

#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "base/encoding.hpp"
#include "measurement/ima_template.hpp"
#include "measurement/limits.hpp"

namespace shamon {
namespace {

using ima::Template;

/// Takes the text up to the next space, and the space.
std::string_view take_word(std::string_view& line) {
  std::size_t const end = std::min(line.find(' '), line.size());
  std::string_view const word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<HashAlgorithm> algorithm_of_size(std::size_t bytes) {
  for (HashAlgorithm a :
       {HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha384, HashAlgorithm::sha512}) {
    if (digest_size(a) == bytes) return a;
  }
  return std::nullopt;
}

/// Parses one line at a time. `base` is where its text starts in memory, for offsets.
class AsciiReader {
 public:
  explicit AsciiReader(std::string_view text) : text_(text) {}

  std::optional<Error> read(ImaLog& log) {
    std::optional<Error> offence;
    std::size_t at = 0;
    while (at < text_.size() && !offence) {
      std::size_t const end = std::min(text_.find('\n', at), text_.size());
      entry_ = ImaEntry{};
      entry_.offset = at;
      if (log.entries.size() == kImaEntriesMax) {
        offence = offend(Errc::too_large, fmt::format("more than {} entries", kImaEntriesMax));
      } else {
        offence = read_line(text_.substr(at, end - at), log.entries.size());
      }
      at = std::min(end + 1, text_.size());
      if (!offence) {
        log.entries.push_back(entry_);
        log.end_offset = at;
      }
    }
    std::move(rebuilt_).hand_over(log);
    // Signatures are hexadecimal in the log, so they too live in the rebuilt data.
    for (ImaEntry& entry : log.entries) point_at_signature(entry);
    return offence;
  }

 private:
  std::optional<Error> offend(Errc code, std::string why) const {
    return Error{code, std::move(why), entry_.offset};
  }

  std::optional<Error> read_line(std::string_view line, std::size_t index) {
    if (line.size() > 2 * kImaTemplateBytesMax) return offend(Errc::too_large, "line too long");
    while (line.starts_with(' ')) line.remove_prefix(1);  // the PCR is printed two wide
    std::string_view const pcr_text = take_word(line);
    unsigned pcr = 0;
    auto const [end, error] =
        std::from_chars(pcr_text.data(), pcr_text.data() + pcr_text.size(), pcr);
    if (error != std::errc{} || end != pcr_text.data() + pcr_text.size() || pcr >= kPcrCount) {
      return offend(Errc::malformed, "line does not begin with a PCR number");
    }
    entry_.pcr = PcrIndex{static_cast<std::uint8_t>(pcr)};
    Result<Bytes> const digest = from_hex(take_word(line));
    if (!digest) return offend(Errc::malformed, "template digest is not hexadecimal");
    std::optional<HashAlgorithm> const algorithm = algorithm_of_size(digest->size());
    if (!algorithm) {
      return offend(Errc::malformed, fmt::format("template digest of {} bytes", digest->size()));
    }
    entry_.template_digest = *Digest::from_bytes(*algorithm, *digest);
    entry_.violation = ima::is_all_zero(*digest);
    entry_.template_name = take_word(line);
    Template const* const kind = ima::find_template(entry_.template_name);
    if (kind == nullptr || !kind->in_ascii) return offend(Errc::unsupported, "unknown template");
    return kind->name == ima::kOldTemplate ? read_old_fields(line, index)
                                           : read_fields(*kind, line, index);
  }

  std::optional<Error> read_fields(Template const& kind, std::string_view line, std::size_t index) {
    std::string_view const digest_text = take_word(line);
    std::size_t const colon = digest_text.rfind(':');
    if (colon == std::string_view::npos) {
      return offend(Errc::malformed, "file digest without an algorithm name");
    }
    Result<Bytes> const digest = from_hex(digest_text.substr(colon + 1));
    if (!digest) return offend(Errc::malformed, "file digest is not hexadecimal");
    Bytes digest_field = to_bytes(digest_text.substr(0, colon + 1));
    digest_field.push_back(0);
    append(digest_field, *digest);

    Bytes third;
    if (kind.fields == 3) {
      // The third field is the last word; it may be empty, then the line ends with a space.
      std::size_t const space = line.rfind(' ');
      if (space == std::string_view::npos) return offend(Errc::malformed, "line lacks a field");
      Result<Bytes> parsed = from_hex(line.substr(space + 1));
      if (!parsed) return offend(Errc::malformed, "last field is not hexadecimal");
      third = std::move(*parsed);
      line = line.substr(0, space);
    }
    if (line.empty()) return offend(Errc::malformed, "line lacks a file name");
    entry_.path = line;
    ByteWriter data;
    data.u32le(static_cast<std::uint32_t>(digest_field.size())).bytes(digest_field);
    data.u32le(static_cast<std::uint32_t>(line.size() + 1)).bytes(as_bytes(line)).u8(0);
    if (kind.fields == 3) data.u32le(static_cast<std::uint32_t>(third.size())).bytes(third);
    rebuilt_.add(index, data.view());
    return ima::set_file_digest(digest_field, entry_);
  }

  std::optional<Error> read_old_fields(std::string_view line, std::size_t index) {
    Result<Bytes> const digest = from_hex(take_word(line));
    if (!digest || digest->size() != digest_size(HashAlgorithm::sha1)) {
      return offend(Errc::malformed, "file digest is not twenty bytes of hexadecimal");
    }
    if (line.empty() || line.size() >= ima::kOldNameBytes) {
      return offend(Errc::malformed, fmt::format("file name of {} bytes", line.size()));
    }
    entry_.path = line;
    entry_.file_digest = *Digest::from_bytes(HashAlgorithm::sha1, *digest);
    rebuilt_.add(index, ima::old_template_data(*digest, line));
    return std::nullopt;
  }

  static void point_at_signature(ImaEntry& entry) {
    Template const* const kind = ima::find_template(entry.template_name);
    if (!kind->third_is_signature) return;
    Cursor fields(entry.template_data);
    fields.take(fields.u32le());
    fields.take(fields.u32le());
    entry.signature = fields.take(fields.u32le());
  }

  std::string_view text_;
  ImaEntry entry_;
  ima::RebuiltData rebuilt_;
};

}  // namespace

ImaReading read_ima_ascii(std::string_view log) {
  ImaReading reading;
  if (log.size() > kImaLogBytesMax) {
    reading.offence =
        Error{Errc::too_large,
              fmt::format("IMA log of {} bytes, {} are the limit", log.size(), kImaLogBytesMax), 0};
    return reading;
  }
  reading.log.storage.push_back(to_bytes(log));
  reading.offence = AsciiReader(as_text(reading.log.storage.front())).read(reading.log);
  return reading;
}

}  // namespace shamon
