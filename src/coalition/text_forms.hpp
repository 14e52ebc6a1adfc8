// The field types whose text form has rules of its own: names, addresses, times.
#pragma once

#include "base/ipv4.hpp"
#include "base/time.hpp"
#include "coalition/codec_io.hpp"

namespace shamon {

/// "2026-11-21T21:30:05.123Z", exactly as to_iso8601 writes it; the fraction may be absent.
Result<WallTime> parse_iso8601(std::string_view text);

namespace codec {

/// A valid name (base/ids.hpp) or the empty text, which says "none".
Result<std::string> decode_name(Decoder& in);
/// A valid label's name (label/label_name.hpp), which may hold blanks and quotes, or the empty
/// text.
Result<std::string> decode_label_name(Decoder& in);
Result<Ipv4> decode_ipv4(Decoder& in);
Result<Endpoint> decode_endpoint(Decoder& in);
/// Years 0000…9999 only, so that each value has its text form.
Result<WallTime> decode_wall_time(Decoder& in);

}  // namespace codec
}  // namespace shamon
