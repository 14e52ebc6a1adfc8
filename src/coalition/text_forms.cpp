#include "coalition/text_forms.hpp"

#include <chrono>

#include "base/ids.hpp"
#include "base/ipv4_text.hpp"
#include "label/label_name.hpp"

namespace shamon {
namespace {

// 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z
constexpr std::int64_t kWallTimeMin_ms = -62'167'219'200'000;
constexpr std::int64_t kWallTimeMax_ms = 253'402'300'799'999;

/// The decimal number in text[at, at + size), or -1.
int number_at(std::string_view text, std::size_t at, std::size_t size) noexcept {
  int value = 0;
  for (std::size_t i = at; i < at + size; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

}  // namespace

Result<WallTime> parse_iso8601(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  bool const fraction = text.size() == kShape.size() + 5;  // ".123Z"
  if (!fraction && text.size() != kShape.size() + 1) {
    return fail_at(Errc::malformed, 0, "not a time like 2026-11-21T21:30:05.123Z");
  }
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    bool const digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == 'd' ? !digit : text[i] != kShape[i]) {
      return fail_at(Errc::malformed, i, "not a time like 2026-11-21T21:30:05.123Z");
    }
  }
  int const ms = fraction ? number_at(text, kShape.size() + 1, 3) : 0;
  if (text.back() != 'Z' || (fraction && text[kShape.size()] != '.') || ms < 0) {
    return fail_at(Errc::malformed, kShape.size(), "time must end in Z");
  }
  using namespace std::chrono;
  year_month_day const date(year(number_at(text, 0, 4)),
                            month(static_cast<unsigned>(number_at(text, 5, 2))),
                            day(static_cast<unsigned>(number_at(text, 8, 2))));
  int const hour = number_at(text, 11, 2);
  int const minute = number_at(text, 14, 2);
  int const second = number_at(text, 17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) {
    return fail_at(Errc::malformed, 0, "no such date or time");
  }
  std::int64_t const days = sys_days(date).time_since_epoch().count();
  std::int64_t const seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
  return WallTime{seconds * 1000 + ms};
}

namespace codec {

namespace {
Result<std::string> decode_checked(Decoder& in, bool (*valid)(std::string_view) noexcept,
                                   char const* what) {
  std::uint64_t const at = in.offset();
  auto text = in.text();
  if (text && !text->empty() && !valid(*text)) return in.refuse_at(Errc::malformed, at, what);
  return text;
}
}  // namespace

Result<std::string> decode_name(Decoder& in) {
  return decode_checked(in, is_valid_name, "not a valid name");
}

Result<std::string> decode_label_name(Decoder& in) {
  return decode_checked(in, is_valid_label_name, "not a valid name for a label");
}

Result<Ipv4> decode_ipv4(Decoder& in) {
  std::uint64_t const at = in.offset();
  if (!in.for_people()) {
    auto const bits = in.unsigned_integer();
    if (!bits) return pass(bits);
    if (*bits > 0xffff'ffff) return in.refuse_at(Errc::malformed, at, "not an IPv4 address");
    return Ipv4{static_cast<std::uint32_t>(*bits)};
  }
  auto const text = in.text();
  if (!text) return pass(text);
  auto const address = parse_ipv4(*text);
  if (!address) return in.refuse_at(Errc::malformed, at, "not an IPv4 address");
  return address;
}

Result<Endpoint> decode_endpoint(Decoder& in) {
  std::uint64_t const at = in.offset();
  auto const text = in.text();
  if (!text) return pass(text);
  auto const endpoint = parse_endpoint(*text);
  if (!endpoint) return in.refuse_at(Errc::malformed, at, "not an address and port");
  // One value, one encoding: "10.0.0.1:080" is refused where it could be signed.
  if (!in.for_people() && to_string(*endpoint) != *text) {
    return in.refuse_at(Errc::malformed, at, "address and port not in their shortest form");
  }
  return endpoint;
}

Result<WallTime> decode_wall_time(Decoder& in) {
  std::uint64_t const at = in.offset();
  if (in.for_people()) {
    auto const text = in.text();
    if (!text) return pass(text);
    auto const time = parse_iso8601(*text);
    if (!time) return in.refuse_at(Errc::malformed, at, time.error().message);
    return time;
  }
  auto const ms = in.integer();
  if (!ms) return pass(ms);
  if (*ms < kWallTimeMin_ms || *ms > kWallTimeMax_ms) {
    return in.refuse_at(Errc::malformed, at, "time outside the years 0000 to 9999");
  }
  return WallTime{*ms};
}

}  // namespace codec
}  // namespace shamon
