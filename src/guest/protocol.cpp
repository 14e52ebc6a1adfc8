#include "guest/protocol.hpp"

#include "base/assert.hpp"
#include "base/byte_writer.hpp"
#include "base/cursor.hpp"

namespace shamon::guest {
namespace {

enum class Type : std::uint8_t { challenge = 1, evidence, failure, query, answer };

void put(ByteWriter& out, ByteView bytes) {
  SHAMON_ASSERT(bytes.size() <= kFrameBytesMax);
  out.u32be(static_cast<std::uint32_t>(bytes.size())).bytes(bytes);
}

/// A byte string of at most `bytes_max`; fails the cursor beyond.
ByteView get(Cursor& in, std::size_t bytes_max) {
  std::uint32_t const size = in.u32be();
  if (size > bytes_max) in.fail();
  return in.take(size);
}

void body(ByteWriter& out, ChallengeFrame const& f) {
  out.u8(static_cast<std::uint8_t>(Type::challenge)).u64be(f.sequence);
  put(out, f.challenge.nonce);
  out.u16be(static_cast<std::uint16_t>(f.challenge.pcrs.bank)).u32be(f.challenge.pcrs.mask);
  out.u64be(f.challenge.ima_offset).u32be(f.challenge.reset_count);
}
void body(ByteWriter& out, EvidenceFrame const& f) {
  out.u8(static_cast<std::uint8_t>(Type::evidence)).u64be(f.sequence);
  put(out, f.evidence.attest);
  put(out, f.evidence.signature);
  put(out, f.evidence.event_log);
  put(out, f.evidence.ima_log);
  out.u64be(f.evidence.ima_offset).u32be(f.evidence.reset_count);
}
void body(ByteWriter& out, FailureFrame const& f) {
  out.u8(static_cast<std::uint8_t>(Type::failure)).u64be(f.sequence);
  put(out, as_bytes(f.text));
}
void body(ByteWriter& out, QueryFrame const& f) {
  out.u8(static_cast<std::uint8_t>(Type::query)).u64be(f.sequence);
  out.u8(static_cast<std::uint8_t>(f.question));
  put(out, as_bytes(f.argument));
}
void body(ByteWriter& out, AnswerFrame const& f) {
  out.u8(static_cast<std::uint8_t>(Type::answer)).u64be(f.sequence).u8(f.yes ? 1 : 0);
  put(out, as_bytes(f.text));
}

bool is_known_bank(std::uint16_t id) noexcept {
  switch (static_cast<HashAlgorithm>(id)) {
    case HashAlgorithm::sha1:
    case HashAlgorithm::sha256:
    case HashAlgorithm::sha384:
    case HashAlgorithm::sha512: return true;
  }
  return false;
}

ChallengeFrame read_challenge(Cursor& in) {
  ChallengeFrame out;
  out.sequence = in.u64be();
  out.challenge.nonce = to_bytes(get(in, kNonceBytesMax));
  std::uint16_t const bank = in.u16be();
  out.challenge.pcrs.bank = static_cast<HashAlgorithm>(bank);
  if (!is_known_bank(bank)) in.fail();
  out.challenge.pcrs.mask = in.u32be();
  out.challenge.ima_offset = in.u64be();
  out.challenge.reset_count = in.u32be();
  if (out.challenge.pcrs.mask >> kPcrCount != 0) in.fail();
  return out;
}

EvidenceFrame read_evidence(Cursor& in) {
  EvidenceFrame out;
  out.sequence = in.u64be();
  out.evidence.attest = to_bytes(get(in, kTextBytesMax));
  out.evidence.signature = to_bytes(get(in, kTextBytesMax));
  out.evidence.event_log = to_bytes(get(in, kFrameBytesMax));
  out.evidence.ima_log = to_bytes(get(in, kFrameBytesMax));
  out.evidence.ima_offset = in.u64be();
  out.evidence.reset_count = in.u32be();
  return out;
}

QueryFrame read_query(Cursor& in) {
  QueryFrame out;
  out.sequence = in.u64be();
  std::uint8_t const question = in.u8();
  if (question < 1 || question > 3) in.fail();
  out.question = static_cast<Question>(question);
  out.argument = as_text(get(in, kTextBytesMax));
  return out;
}

}  // namespace

bool fits_a_frame(Evidence const& evidence) noexcept {
  // Type, sequence, four lengths, offset and reset count.
  constexpr std::size_t kFixedBytes = 1 + 8 + 4 * 4 + 8 + 4;
  return kFixedBytes + evidence.attest.size() + evidence.signature.size() +
             evidence.event_log.size() + evidence.ima_log.size() <=
         kFrameBytesMax;
}

Bytes encode_frame(Frame const& frame) {
  ByteWriter content;
  std::visit([&](auto const& f) { body(content, f); }, frame);
  Bytes const bytes = std::move(content).take();
  ByteWriter out;
  put(out, bytes);
  return std::move(out).take();
}

Result<Frame> decode_frame(ByteView bytes) {
  Cursor in(bytes);
  std::uint8_t const type = in.u8();
  Result<Frame> out = fail_at(Errc::malformed, 0, "unknown frame type " + std::to_string(type));
  if (bytes.empty()) return fail_at(Errc::truncated, 0, "empty frame");
  switch (static_cast<Type>(type)) {
    case Type::challenge: out = read_challenge(in); break;
    case Type::evidence: out = read_evidence(in); break;
    case Type::failure: {
      FailureFrame frame;
      frame.sequence = in.u64be();
      frame.text = as_text(get(in, kTextBytesMax));
      out = frame;
      break;
    }
    case Type::query: out = read_query(in); break;
    case Type::answer: {
      AnswerFrame frame;
      frame.sequence = in.u64be();
      frame.yes = in.u8() != 0;
      frame.text = as_text(get(in, kTextBytesMax));
      out = frame;
      break;
    }
  }
  if (!out) return out;
  if (!in.ok())
    return fail_at(Errc::malformed, in.offset(), "a field is cut short or out of bounds");
  if (!in.at_end()) return fail_at(Errc::malformed, in.offset(), "bytes after the last field");
  return out;
}

void FrameReader::feed(ByteView bytes) {
  overrun_ = overrun_ || bytes.size() > kBufferedBytesMax - buffer_.size();
  if (!overrun_) append(buffer_, bytes);
}

Result<std::optional<Frame>> FrameReader::next() {
  if (overrun_) return fail(Errc::too_large, "the other end sends faster than it is read");
  Cursor in(buffer_);
  std::uint32_t const size = in.u32be();
  if (!in.ok()) return std::optional<Frame>{};
  if (size > kFrameBytesMax) {
    return fail(Errc::too_large, "a frame of " + std::to_string(size) + " bytes is announced");
  }
  if (in.remaining() < size) return std::optional<Frame>{};
  auto frame = decode_frame(in.take(size));
  if (!frame) return pass(frame);
  buffer_.erase(buffer_.begin(), buffer_.begin() + 4 + static_cast<std::ptrdiff_t>(size));
  return std::optional<Frame>(std::move(*frame));
}

}  // namespace shamon::guest
