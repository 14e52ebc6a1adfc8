#include "measurement/event_log.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "measurement/limits.hpp"

namespace shamon {
namespace {

constexpr std::string_view kSpecIdSignature{"Spec ID Event03\0", 16};
constexpr std::string_view kStartupLocalitySignature{"StartupLocality\0", 16};
constexpr std::uint32_t kNoAction = static_cast<std::uint32_t>(EventType::no_action);
constexpr std::uint32_t kNoPcr = 0xffffffff;
constexpr PcrIndex kNoPcrIndex{0xff};

/// A bank as the Spec ID header declares it; `known` says that we can replay it.
struct DeclaredBank {
  std::uint16_t algorithm_id = 0;
  std::uint16_t digest_bytes = 0;
  bool known = false;
};

std::optional<HashAlgorithm> known_algorithm(std::uint16_t id) {
  for (HashAlgorithm a :
       {HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha384, HashAlgorithm::sha512}) {
    if (static_cast<std::uint16_t>(a) == id) return a;
  }
  return std::nullopt;
}

bool begins_with(ByteView data, std::string_view signature) {
  return data.size() >= signature.size() && as_text(data.first(signature.size())) == signature;
}

Digest known_digest(HashAlgorithm algorithm, ByteView bytes) {
  Result<Digest> digest = Digest::from_bytes(algorithm, bytes);
  SHAMON_ASSERT(digest.has_value());  // the caller took digest_size(algorithm) bytes
  return *digest;
}

/// Parses one log front to back. Each step returns the first offence, or nothing.
class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes), cursor_(bytes) {}

  EventLogReading read() {
    std::optional<Error> offence = read_all();
    return EventLogReading{std::move(log_), std::move(offence)};
  }

 private:
  std::optional<Error> offend(Errc code, std::string why) const {
    return Error{code, std::move(why), event_.offset};
  }

  std::optional<Error> read_all() {
    if (bytes_.size() > kEventLogBytesMax) {
      return offend(Errc::too_large, fmt::format("event log of {} bytes, {} are the limit",
                                                 bytes_.size(), kEventLogBytesMax));
    }
    if (bytes_.empty()) return std::nullopt;
    // The first event has the SHA-1 form in both kinds of log (§10.4.5.1).
    banks_ = {DeclaredBank{static_cast<std::uint16_t>(HashAlgorithm::sha1), 20, true}};
    log_.banks = {HashAlgorithm::sha1};
    while (!cursor_.at_end()) {
      event_ = BootEvent{};
      event_.offset = cursor_.offset();
      if (std::optional<Error> offence = read_event()) return offence;
      if (log_.events.empty() && event_.type == kNoAction &&
          begins_with(event_.data, kSpecIdSignature)) {
        if (std::optional<Error> offence = read_spec_id()) return offence;
      }
      log_.events.push_back(std::move(event_));
    }
    return std::nullopt;
  }

  std::optional<Error> read_event() {
    if (log_.events.size() == kBootEventsMax) {
      return offend(Errc::too_large, fmt::format("more than {} events", kBootEventsMax));
    }
    std::uint32_t const pcr = cursor_.u32le();
    event_.type = cursor_.u32le();
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends inside the head of an event");
    if (pcr >= kPcrCount && !(event_.type == kNoAction && pcr == kNoPcr)) {
      return offend(Errc::malformed, fmt::format("event for PCR {}, there are {}", pcr, kPcrCount));
    }
    event_.pcr = pcr == kNoPcr ? kNoPcrIndex : PcrIndex{static_cast<std::uint8_t>(pcr)};
    if (std::optional<Error> offence = log_.crypto_agile ? read_digests() : read_sha1_digest()) {
      return offence;
    }
    std::uint32_t const size = cursor_.u32le();
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends before the size of an event");
    if (size > kBootEventBytesMax) {
      return offend(Errc::too_large, fmt::format("event data of {} bytes, {} are the limit", size,
                                                 kBootEventBytesMax));
    }
    ByteView const data = cursor_.take(size);
    if (!cursor_.ok()) {
      return offend(Errc::truncated,
                    fmt::format("event data of {} bytes, {} are left", size, cursor_.remaining()));
    }
    event_.data = to_bytes(data);
    return std::nullopt;
  }

  std::optional<Error> read_sha1_digest() {
    ByteView const bytes = cursor_.take(digest_size(HashAlgorithm::sha1));
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends inside a digest");
    event_.digests = {known_digest(HashAlgorithm::sha1, bytes)};
    return std::nullopt;
  }

  /// TPML_DIGEST_VALUES: one digest for every declared bank, in any order.
  std::optional<Error> read_digests() {
    std::uint32_t const count = cursor_.u32le();
    if (!cursor_.ok()) return offend(Errc::truncated, "log ends before the digests of an event");
    if (count != banks_.size()) {
      return offend(Errc::malformed, fmt::format("event has {} digests, the log has {} banks",
                                                 count, banks_.size()));
    }
    std::uint32_t seen = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      std::uint16_t const id = cursor_.u16le();
      if (!cursor_.ok()) return offend(Errc::truncated, "log ends before a digest");
      auto const bank = std::find_if(banks_.begin(), banks_.end(),
                                     [id](DeclaredBank const& b) { return b.algorithm_id == id; });
      if (bank == banks_.end()) {
        return offend(Errc::malformed,
                      fmt::format("digest of algorithm 0x{:04x}, which the header lacks", id));
      }
      std::uint32_t const bit = 1u << (bank - banks_.begin());
      if ((seen & bit) != 0) {
        return offend(Errc::malformed, fmt::format("two digests of algorithm 0x{:04x}", id));
      }
      seen |= bit;
      ByteView const bytes = cursor_.take(bank->digest_bytes);
      if (!cursor_.ok()) return offend(Errc::truncated, "log ends inside a digest");
      if (bank->known) event_.digests.push_back(known_digest(*known_algorithm(id), bytes));
    }
    return std::nullopt;
  }

  /// TCG_EfiSpecIdEvent (§10.4.5.1): which digests the later events carry.
  std::optional<Error> read_spec_id() {
    Cursor head(ByteView(event_.data).subspan(kSpecIdSignature.size()));
    head.take(4 + 4);  // platformClass; versions, errata and uintnSize tell us nothing we use
    std::uint32_t const count = head.u32le();
    if (!head.ok()) return offend(Errc::malformed, "Spec ID event is too short");
    if (count == 0 || count > kEventLogBanksMax) {
      return offend(Errc::malformed,
                    fmt::format("Spec ID event lists {} algorithms, 1 to {} may be", count,
                                kEventLogBanksMax));
    }
    log_.crypto_agile = true;
    banks_.clear();
    log_.banks.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      DeclaredBank bank{head.u16le(), head.u16le(), false};
      if (!head.ok()) return offend(Errc::malformed, "Spec ID event ends inside its algorithms");
      if (std::optional<Error> offence = declare(bank)) return offence;
    }
    head.take(head.u8());  // vendorInfo
    if (!head.ok() || !head.at_end()) {
      return offend(Errc::malformed, "Spec ID event does not end with its vendor information");
    }
    return std::nullopt;
  }

  std::optional<Error> declare(DeclaredBank bank) {
    std::optional<HashAlgorithm> const algorithm = known_algorithm(bank.algorithm_id);
    if (algorithm && digest_size(*algorithm) != bank.digest_bytes) {
      return offend(Errc::malformed, fmt::format("Spec ID event gives {} digests {} bytes",
                                                 to_string(*algorithm), bank.digest_bytes));
    }
    bool const twice = std::any_of(banks_.begin(), banks_.end(), [&](DeclaredBank const& b) {
      return b.algorithm_id == bank.algorithm_id;
    });
    if (twice) {
      return offend(Errc::malformed,
                    fmt::format("Spec ID event lists algorithm 0x{:04x} twice", bank.algorithm_id));
    }
    bank.known = algorithm.has_value();
    banks_.push_back(bank);
    if (algorithm) log_.banks.push_back(*algorithm);
    return std::nullopt;
  }

  ByteView bytes_;
  Cursor cursor_;
  std::vector<DeclaredBank> banks_;
  BootEvent event_;
  EventLog log_;
};

/// TCG_EfiStartupLocalityEvent (§10.4.5.3): PCR 0 starts at the locality of TPM2_Startup.
Status apply_no_action(BootEvent const& event, PcrBank& bank) {
  if (!begins_with(event.data, kStartupLocalitySignature)) return {};
  if (event.data.size() != kStartupLocalitySignature.size() + 1) {
    return fail_at(Errc::malformed, event.offset, "StartupLocality event of wrong size");
  }
  if (bank.touched(PcrIndex{0})) {
    return fail_at(Errc::malformed, event.offset, "StartupLocality event after PCR 0 was extended");
  }
  Bytes start(digest_size(bank.algorithm()), 0);
  start.back() = event.data.back();
  bank.set(PcrIndex{0}, known_digest(bank.algorithm(), start));
  return {};
}

}  // namespace

EventLogReading read_event_log(ByteView log) {
  return Reader(log).read();
}

Result<EventLog> parse_event_log(ByteView log) {
  EventLogReading reading = read_event_log(log);
  if (reading.offence) return tl::unexpected<Error>(std::move(*reading.offence));
  return std::move(reading.log);
}

Result<PcrBank> replay(EventLog const& log, HashAlgorithm bank) {
  PcrBank values(bank);
  bool const present = std::find(log.banks.begin(), log.banks.end(), bank) != log.banks.end();
  if (!present && !log.events.empty()) {
    return fail(Errc::invalid, fmt::format("the event log has no {} digests", to_string(bank)));
  }
  for (BootEvent const& event : log.events) {
    if (event.type == kNoAction) {
      if (Status applied = apply_no_action(event, values); !applied) return pass(applied);
      continue;
    }
    auto const digest = std::find_if(event.digests.begin(), event.digests.end(),
                                     [bank](Digest const& d) { return d.algorithm() == bank; });
    if (digest == event.digests.end()) {
      return fail_at(Errc::malformed, event.offset,
                     fmt::format("event has no {} digest", to_string(bank)));
    }
    if (event.pcr.value() >= kPcrCount) {
      return fail_at(Errc::malformed, event.offset, "event extends no PCR");
    }
    values.extend(event.pcr, *digest);
  }
  return values;
}

Bytes encode_event_log_header(std::vector<HashAlgorithm> const& banks) {
  SHAMON_ASSERT(!banks.empty() && banks.size() <= kEventLogBanksMax);
  ByteWriter id;
  id.bytes(as_bytes(kSpecIdSignature)).u32le(0);  // platformClass: client
  id.u8(0).u8(2).u8(105).u8(2);  // minor, major, errata of profile 1.05; UINTN is 8 bytes
  id.u32le(static_cast<std::uint32_t>(banks.size()));
  for (HashAlgorithm bank : banks) {
    id.u16le(static_cast<std::uint16_t>(bank));
    id.u16le(static_cast<std::uint16_t>(digest_size(bank)));
  }
  id.u8(0);
  ByteWriter out;
  out.u32le(0).u32le(kNoAction).bytes(Digest::zero(HashAlgorithm::sha1).bytes());
  out.u32le(static_cast<std::uint32_t>(id.view().size())).bytes(id.view());
  return std::move(out).take();
}

Bytes encode_event(BootEvent const& event) {
  SHAMON_ASSERT(event.data.size() <= kBootEventBytesMax);
  ByteWriter out;
  out.u32le(event.pcr == kNoPcrIndex ? kNoPcr : event.pcr.value()).u32le(event.type);
  out.u32le(static_cast<std::uint32_t>(event.digests.size()));
  for (Digest const& digest : event.digests) {
    out.u16le(static_cast<std::uint16_t>(digest.algorithm())).bytes(digest.bytes());
  }
  out.u32le(static_cast<std::uint32_t>(event.data.size())).bytes(event.data);
  return std::move(out).take();
}

}  // namespace shamon
