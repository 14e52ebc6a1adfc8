// Deterministic CBOR (RFC 8949 §4.2.1): the one encoding of what is signed. The decoder accepts
// that encoding and no other. Why it is ours: docs/decisions/0003-cbor.md.
#pragma once

#include <vector>

#include "base/cursor.hpp"
#include "coalition/codec_io.hpp"

namespace shamon {

/// RFC 8949 §3.1
enum class CborType : std::uint8_t {
  unsigned_integer = 0,
  negative_integer,
  byte_string,
  text_string,
  array,
  map,
  tag,
  simple,
};

/// Map keys must be given in deterministic order; codec_io does so.
class CborEncoder final : public Encoder {
 public:
  bool for_people() const noexcept override { return false; }
  void boolean(bool value) override;
  void unsigned_integer(std::uint64_t value) override;
  void integer(std::int64_t value) override;
  void text(std::string_view value) override;
  void bytes(ByteView value) override;
  void begin_array(std::size_t elements) override;
  void end_array() override {}
  void begin_map(std::size_t pairs) override;
  void key(std::string_view name) override { text(name); }
  void end_map() override {}
  void tag(std::uint64_t number);
  Bytes take() && { return std::move(out_); }

 private:
  void head(CborType type, std::uint64_t argument);
  Bytes out_;
};

/// Refuses indefinite lengths, integers not in their shortest form, map keys that are no text, not
/// ascending or twice, floating point, text that is not UTF-8, and lengths beyond the input — these
/// before anything is allocated.
class CborDecoder final : public Decoder {
 public:
  CborDecoder(ByteView input, Limits const& limits, UnknownFields unknown)
      : Decoder(limits, unknown), cursor_(input) {}

  bool for_people() const noexcept override { return false; }
  std::uint64_t offset() const noexcept override { return cursor_.offset(); }
  Result<bool> boolean() override;
  Result<std::uint64_t> unsigned_integer() override;
  Result<std::int64_t> integer() override;
  Result<std::string> text() override;
  Result<Bytes> bytes() override;
  Status begin_array() override;
  Result<bool> next_element() override;
  Status begin_map() override;
  Result<std::optional<std::string>> next_key() override;
  Status skip() override;
  bool take_null() override { return false; }  ///< absent is absent

  Status expect_tag(std::uint64_t number);
  /// `malformed` if bytes are left.
  Status finish() const;

 private:
  struct Head {
    CborType type;
    std::uint64_t argument;
  };
  struct Container {
    std::uint64_t left;
    ByteView last_key;
  };
  Result<Head> head();
  Result<Head> head_of(CborType type, std::string_view name);
  Result<ByteView> string_of(CborType type, std::string_view name);

  Cursor cursor_;
  std::vector<Container> open_;
};

}  // namespace shamon
