// What a codec of messages writes to and reads from. Two implementations: JSON (json.hpp) and CBOR
// (cbor.hpp). The walk over a message's fields is here, once, for both.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "coalition/codec.hpp"

namespace shamon {

class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Text forms of addresses, times and enums, fields in declared order.
  virtual bool for_people() const noexcept = 0;
  virtual void boolean(bool value) = 0;
  virtual void unsigned_integer(std::uint64_t value) = 0;
  virtual void integer(std::int64_t value) = 0;
  virtual void text(std::string_view value) = 0;  ///< what is not UTF-8 in it becomes U+FFFD
  virtual void bytes(ByteView value) = 0;
  virtual void begin_array(std::size_t elements) = 0;
  virtual void end_array() = 0;
  virtual void begin_map(std::size_t pairs) = 0;
  virtual void key(std::string_view name) = 0;
  virtual void end_map() = 0;
};

/// Reads values in the order the input has them. Every error carries the field path and the offset:
/// "members[3].host: not a valid name".
class Decoder {
 public:
  Decoder(Limits const& limits, UnknownFields unknown) : limits_(limits), unknown_(unknown) {}
  virtual ~Decoder() = default;
  Decoder(Decoder const&) = delete;
  Decoder& operator=(Decoder const&) = delete;

  virtual bool for_people() const noexcept = 0;
  virtual std::uint64_t offset() const noexcept = 0;
  virtual Result<bool> boolean() = 0;
  virtual Result<std::uint64_t> unsigned_integer() = 0;
  virtual Result<std::int64_t> integer() = 0;
  virtual Result<std::string> text() = 0;
  virtual Result<Bytes> bytes() = 0;
  virtual Status begin_array() = 0;
  virtual Result<bool> next_element() = 0;  ///< false: the array has ended
  virtual Status begin_map() = 0;
  virtual Result<std::optional<std::string>> next_key() = 0;  ///< none: the map has ended
  virtual Status skip() = 0;                                  ///< one value of any type
  virtual bool take_null() = 0;

  UnknownFields unknown_fields() const noexcept { return unknown_; }
  /// An error about the field being read, at the current offset or `at`.
  tl::unexpected<Error> refuse(Errc code, std::string_view what) const {
    return refuse_at(code, offset(), what);
  }
  tl::unexpected<Error> refuse_at(Errc code, std::uint64_t at, std::string_view what) const;

  /// Counts one more element of any array of the message. Errors: `too_large`.
  Status count_element();

  /// One step of the path while it is in scope.
  class Step {
   public:
    Step(Decoder& decoder, std::string_view name) : decoder_(decoder) {
      decoder_.path_.push_back({name, 0});
    }
    Step(Decoder& decoder, std::size_t index) : decoder_(decoder) {
      decoder_.path_.push_back({{}, index});
    }
    ~Step() { decoder_.path_.pop_back(); }
    Step(Step const&) = delete;
    Step& operator=(Step const&) = delete;

   private:
    Decoder& decoder_;
  };

 protected:
  Limits const& limits() const noexcept { return limits_; }
  /// Entering an array or map; leaving it. Errors: `too_large` beyond `depth_max`.
  Status enter();
  void leave() noexcept { --depth_; }

 private:
  struct PathStep {
    std::string_view name;  ///< empty: an index
    std::size_t index;
  };
  Limits limits_;
  UnknownFields unknown_;
  std::vector<PathStep> path_;
  std::size_t elements_ = 0;
  unsigned depth_ = 0;
};

/// One field of a message, its type forgotten.
struct FieldOps {
  std::string_view name;
  bool optional = false;
  bool (*present)(void const* message) = nullptr;  ///< false: leave it out
  void (*encode)(Encoder& out, void const* message) = nullptr;
  Status (*decode)(Decoder& in, void* message) = nullptr;
};

struct MessageOps {
  std::span<FieldOps const> fields;          ///< as declared
  std::span<std::uint8_t const> cbor_order;  ///< RFC 8949 §4.2.1: shorter keys first, then bytewise
  Limits limits;
};

void encode_fields(Encoder& out, MessageOps const& ops, void const* message);
/// JSON: absent fields keep their defaults (people and older versions leave them out). CBOR: only
/// optional fields may be absent. Both: a field twice is refused.
Status decode_fields(Decoder& in, MessageOps const& ops, void* message);

}  // namespace shamon
