// The narrow interface between a VM and its host monitor: frames on one byte stream
// (virtio-serial). u32be length of what follows, u8 type, then the fields in the order of the
// structs below: integers big endian, byte strings and texts as u32be length and bytes. The host
// monitor asks for evidence; the VM may ask for its label, whether it may talk to another VM, and
// its own attestation.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "attestation/evidence.hpp"

namespace shamon::guest {

inline constexpr std::size_t kFrameBytesMax = 8u << 20;  ///< an IMA log is the largest field
/// What a reader holds at most: the other end may have sent a few frames before we look.
inline constexpr std::size_t kBufferedBytesMax = 4 * kFrameBytesMax;
inline constexpr std::size_t kNonceBytesMax = 64;
inline constexpr std::size_t kTextBytesMax = 4096;

/// monitor -> guest
struct ChallengeFrame {
  std::uint64_t sequence = 0;
  Challenge challenge;
};
/// guest -> monitor
struct EvidenceFrame {
  std::uint64_t sequence = 0;
  Evidence evidence;
};
struct FailureFrame {
  std::uint64_t sequence = 0;
  std::string text;
};
/// guest -> monitor; `argument` is the VM asked about, for may_talk
enum class Question : std::uint8_t { label = 1, may_talk = 2, attestation = 3 };
struct QueryFrame {
  std::uint64_t sequence = 0;
  Question question = Question::label;
  std::string argument;
};
/// monitor -> guest
struct AnswerFrame {
  std::uint64_t sequence = 0;
  bool yes = false;
  std::string text;
};

using Frame = std::variant<ChallengeFrame, EvidenceFrame, FailureFrame, QueryFrame, AnswerFrame>;

/// True if the evidence's frame is within kFrameBytesMax.
bool fits_a_frame(Evidence const& evidence) noexcept;

/// Complete, with its length. Fields beyond their bounds are a programmer's error.
Bytes encode_frame(Frame const& frame);
/// One frame without its length. Errors with offset: `malformed`, `truncated`, `too_large`.
Result<Frame> decode_frame(ByteView body);

/// Cuts a byte stream into frames.
class FrameReader {
 public:
  /// Bytes past kBufferedBytesMax are not kept: `next` then fails.
  void feed(ByteView bytes);
  /// The next frame, or nothing yet. After an error the stream is useless: close it.
  Result<std::optional<Frame>> next();

 private:
  Bytes buffer_;
  bool overrun_ = false;
};

}  // namespace shamon::guest
