// JSON (RFC 8259) for people and the HTTP API. A pull reader: it goes straight into the message, so
// errors know their offset and nothing of unknown size is built in between.
#pragma once

#include <vector>

#include "base/cursor.hpp"
#include "coalition/codec_io.hpp"

namespace shamon {

class JsonEncoder final : public Encoder {
 public:
  bool for_people() const noexcept override { return true; }
  void boolean(bool value) override;
  void unsigned_integer(std::uint64_t value) override;
  void integer(std::int64_t value) override;
  void text(std::string_view value) override;
  void bytes(ByteView value) override;  ///< RFC 4648 §4 base64
  void begin_array(std::size_t elements) override;
  void end_array() override;
  void begin_map(std::size_t pairs) override;
  void key(std::string_view name) override;
  void end_map() override;
  std::string take() && { return std::move(out_); }

 private:
  void separate();
  void quote(std::string_view value);
  std::string out_;
  bool comma_ = false;  ///< the next value or key needs a comma before it
};

/// Refuses what RFC 8259 does not allow, numbers that are no integers where one is read, and text
/// that is not UTF-8 or holds half a surrogate pair.
class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(std::string_view input, Limits const& limits, UnknownFields unknown)
      : Decoder(limits, unknown), cursor_(as_bytes(input)) {}

  bool for_people() const noexcept override { return true; }
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
  bool take_null() override;

  /// `malformed` if more than white space is left.
  Status finish();

 private:
  struct Number {
    bool negative = false;
    bool integral = true;
    std::uint64_t magnitude = 0;
  };
  char peek_char() const noexcept;  ///< 0 at the end
  char peek_value() noexcept;       ///< after white space
  bool take_char(char expected) noexcept;
  bool take_word(std::string_view word) noexcept;
  Status open(char bracket, std::string_view name);
  Result<bool> more(char bracket);
  Result<Number> number();
  std::size_t digits(Number* into) noexcept;
  Status escape(std::string& out);
  Result<std::uint32_t> hex4();

  Cursor cursor_;
  std::vector<bool> first_;  ///< of each open array or map: nothing read yet
};

}  // namespace shamon
