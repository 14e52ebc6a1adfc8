#include "audit/chain.hpp"

#include "audit/limits.hpp"
#include "coalition/codec_impl.hpp"

namespace shamon {

SHAMON_DEFINE_CODEC(AuditStart);
SHAMON_DEFINE_CODEC(AuditHead);
SHAMON_DEFINE_CODEC(AuditNote);
SHAMON_DEFINE_CODEC(AuditLine);

std::string const& no_previous() {
  static std::string const zeros(64, '0');
  return zeros;
}

std::string line_digest(std::string_view line) {
  return sha256(as_bytes(line)).hex();
}

Result<AuditLine> parse_audit_line(std::string_view line) {
  if (line.size() > kAuditLineBytesMax) {
    return fail(Errc::too_large, "longer than " + std::to_string(kAuditLineBytesMax) + " bytes");
  }
  auto parsed = decode_json<AuditLine>(line);
  if (!parsed) return parsed;
  int const parts = parsed->record.has_value() + parsed->start.has_value() +
                    parsed->head.has_value() + parsed->note.has_value();
  if (parts != 1) return fail(Errc::invalid, "not one record, start, head or note");
  if (parsed->sequence == 0 || parsed->previous.size() != no_previous().size()) {
    return fail(Errc::invalid, "no number, or no digest of the line before");
  }
  return parsed;
}

std::string head_message(std::uint64_t sequence, std::string_view previous, WallTime time,
                         std::string_view reason) {
  return "shamon-audit-head-v1:" + std::to_string(sequence) + ":" + std::string(previous) + ":" +
         std::to_string(time.unix_ms) + ":" + std::string(reason);
}

bool head_holds(AuditLine const& line, PublicKey const& key) {
  if (!line.head) return false;
  std::string const message =
      head_message(line.sequence, line.previous, line.head->time, line.head->reason);
  return key.verify(SignatureScheme::ecdsa, HashAlgorithm::sha256, as_bytes(message),
                    line.head->signature);
}

std::string audit_key_name(PublicKey const& key) {
  return key.spki_sha256().hex();
}

ChainWriter::ChainWriter(PrivateKey key, std::uint64_t sequence, std::string previous)
    : key_(std::move(key)),
      public_(key_.public_key()),
      key_name_(audit_key_name(public_)),
      sequence_(sequence),
      previous_(std::move(previous)) {}

std::string ChainWriter::finish(AuditLine line) const {
  line.sequence = sequence_ + 1;
  line.previous = previous_;
  return encode_json(line) + "\n";
}

std::string ChainWriter::next(AuditRow row) const {
  row.sequence = sequence_ + 1;
  return finish({.record = std::move(row)});
}

std::string ChainWriter::next(AuditStart start) const {
  start.key = key_name_;
  return finish({.start = std::move(start)});
}

std::string ChainWriter::next(AuditNote note) const {
  return finish({.note = std::move(note)});
}

Result<std::string> ChainWriter::next_head(std::string reason, WallTime time) const {
  auto signature = key_.sign(SignatureScheme::ecdsa, HashAlgorithm::sha256,
                             as_bytes(head_message(sequence_ + 1, previous_, time, reason)));
  if (!signature) return pass(signature);
  return finish({.head = AuditHead{time, std::move(reason), key_name_, std::move(*signature)}});
}

void ChainWriter::written(std::string_view line, bool is_head) {
  ++sequence_;
  previous_ = line_digest(line.substr(0, line.size() - 1));
  unsigned_lines_ = is_head ? 0 : unsigned_lines_ + 1;
}

}  // namespace shamon
