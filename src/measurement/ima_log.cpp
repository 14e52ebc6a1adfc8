#include "measurement/ima_log.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace shamon {
namespace {

Result<ImaLog> log_or_offence(ImaReading reading) {
  if (reading.offence) return tl::unexpected<Error>(std::move(*reading.offence));
  return std::move(reading.log);
}

/// A path for people: it comes from the attested machine and must not steer a terminal.
std::string printable(std::string_view path) {
  constexpr std::size_t kShownBytes = 200;
  std::string out;
  for (char c : path.substr(0, kShownBytes)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

bool is_digit(std::uint8_t c) {
  return c >= '0' && c <= '9';
}

/// Ascii lines begin with a PCR of two characters and a space; a binary entry with a 32-bit number
/// below 24, which has zero bytes there.
bool looks_ascii(ByteView log) {
  return log.size() >= 3 && (is_digit(log[0]) || log[0] == ' ') && is_digit(log[1]) &&
         log[2] == ' ';
}

}  // namespace

ImaReading read_ima(ByteView log) {
  return looks_ascii(log) ? read_ima_ascii(as_text(log)) : read_ima_binary(log);
}

Result<ImaLog> parse_ima_binary(ByteView log, std::uint64_t base_offset) {
  return log_or_offence(read_ima_binary(log, base_offset));
}

Result<ImaLog> parse_ima_ascii(std::string_view log) {
  return log_or_offence(read_ima_ascii(log));
}

Result<ImaLog> parse_ima(ByteView log) {
  return log_or_offence(read_ima(log));
}

Digest ima_extension(ImaEntry const& entry, HashAlgorithm bank) {
  if (entry.violation) return Digest::ones(bank);
  if (entry.template_digest.algorithm() == bank) return entry.template_digest;
  return hash(bank, entry.template_data);
}

Status check_ima_entry(ImaEntry const& entry) {
  if (entry.pcr != kImaPcr) {
    return fail_at(Errc::unsupported, entry.offset,
                   fmt::format("entry for PCR {}; only PCR 10 is followed", entry.pcr.value()));
  }
  if (entry.violation) return {};
  if (hash(entry.template_digest.algorithm(), entry.template_data) != entry.template_digest) {
    return fail_at(
        Errc::malformed, entry.offset,
        fmt::format("template digest does not match the data of \"{}\"", printable(entry.path)));
  }
  return {};
}

Result<Digest> fold_ima(std::vector<ImaEntry> const& entries, HashAlgorithm bank, Digest value) {
  SHAMON_ASSERT(value.algorithm() == bank);
  for (ImaEntry const& entry : entries) {
    if (Status checked = check_ima_entry(entry); !checked) return pass(checked);
    Digest const extension = ima_extension(entry, bank);
    value = hash_pair(bank, value.bytes(), extension.bytes());
  }
  return value;
}

}  // namespace shamon
