#include "measurement/verify_logs.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "measurement/limits.hpp"

namespace shamon {
namespace {

using Mismatch = tl::unexpected<LogMismatch>;

Mismatch mismatch(LogMismatchKind kind, Error error) {
  return Mismatch(LogMismatch{kind, std::move(error)});
}
Mismatch mismatch(LogMismatchKind kind, std::string why) {
  return mismatch(kind, Error{Errc::untrusted, std::move(why), {}});
}

bool selects(PcrSelection const& selection, PcrIndex pcr) {
  return (selection.mask >> pcr.value() & 1) != 0;
}

/// The quote's digest is of the hash of its signature scheme; its size names that hash.
std::optional<HashAlgorithm> quote_hash(QuoteStatement const& quote) {
  for (HashAlgorithm a :
       {HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha384, HashAlgorithm::sha512}) {
    if (digest_size(a) == quote.pcr_digest.size()) return a;
  }
  return std::nullopt;
}

/// True if the banks, one per selection and in its order, have the values the TPM signed.
bool agrees(QuoteStatement const& quote, std::vector<PcrBank> const& banks) {
  std::optional<HashAlgorithm> const hash = quote_hash(quote);
  if (!hash) return false;
  std::vector<Digest> values;
  for (std::size_t i = 0; i < quote.selections.size(); ++i) {
    for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr) {
      if (selects(quote.selections[i], PcrIndex{pcr})) {
        values.push_back(banks[i].value(PcrIndex{pcr}));
      }
    }
  }
  return equal_constant_time(digest_of_pcrs(*hash, values).bytes(), quote.pcr_digest);
}

/// Replays the event log into every selected bank and checks that the quote covers what it touches.
tl::expected<std::vector<PcrBank>, LogMismatch> replay_boot(QuoteStatement const& quote,
                                                            EventLog const* log) {
  std::vector<PcrBank> banks;
  for (PcrSelection const& selection : quote.selections) {
    if (log == nullptr) {
      banks.emplace_back(selection.bank);
      continue;
    }
    Result<PcrBank> replayed = replay(*log, selection.bank);
    if (!replayed) return mismatch(LogMismatchKind::event_log, replayed.error());
    for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr) {
      if (replayed->touched(PcrIndex{pcr}) && !selects(selection, PcrIndex{pcr})) {
        return mismatch(
            LogMismatchKind::selection,
            fmt::format("the event log extends PCR {}, which the quote leaves out", pcr));
      }
    }
    banks.push_back(std::move(*replayed));
  }
  return banks;
}

/// PCR 10 of every selected bank, entry by entry.
class ImaFold {
 public:
  ImaFold(std::vector<PcrBank> const& banks, std::optional<ImaStart> const& start) {
    for (PcrBank const& bank : banks) values_.push_back(bank.value(kImaPcr));
    if (start) values_.front() = start->pcr;
  }

  void extend(ImaEntry const& entry) {
    for (Digest& value : values_) {
      Digest const extension = ima_extension(entry, value.algorithm());
      value = hash_pair(value.algorithm(), value.bytes(), extension.bytes());
    }
  }
  void store(std::vector<PcrBank>& banks) const {
    for (std::size_t i = 0; i < banks.size(); ++i) banks[i].set(kImaPcr, values_[i]);
  }

 private:
  std::vector<Digest> values_;
};

/// Finds the longest prefix of the IMA log with which the banks agree with the quote. Only the last
/// kImaEntriesAfterQuoteMax states are kept, so that memory does not grow with the log.
std::optional<std::size_t> fold_to_agreement(QuoteStatement const& quote, ImaLog const& log,
                                             ImaFold fold, std::vector<PcrBank>& banks) {
  std::size_t const total = log.entries.size();
  std::size_t const shortest =
      total > kImaEntriesAfterQuoteMax ? total - kImaEntriesAfterQuoteMax : 0;
  std::vector<ImaFold> states;
  for (std::size_t i = 0; i <= total; ++i) {
    if (i >= shortest) states.push_back(fold);
    if (i < total) fold.extend(log.entries[i]);
  }
  for (std::size_t length = total + 1; length-- > shortest;) {
    states[length - shortest].store(banks);
    if (agrees(quote, banks)) return length;
  }
  return std::nullopt;
}

tl::expected<ReplayedPcrs, LogMismatch> without_ima(QuoteStatement const& quote,
                                                    std::vector<PcrBank> banks) {
  if (!agrees(quote, banks)) {
    return mismatch(LogMismatchKind::pcr_digest,
                    "PCR digest: the logs replay to other values than the TPM signed");
  }
  ReplayedPcrs result;
  result.covered_mask = quote.selections.front().mask;
  if (selects(quote.selections.front(), kImaPcr)) {
    result.ima_pcr = banks.front().value(kImaPcr);
  }
  result.banks = std::move(banks);
  return result;
}

/// Every entry must agree with itself, and the quote must cover PCR 10 in each bank.
std::optional<LogMismatch> check_ima(QuoteStatement const& quote, ImaLog const& log,
                                     std::optional<ImaStart> const& start) {
  for (PcrSelection const& selection : quote.selections) {
    if (selects(selection, kImaPcr)) continue;
    return LogMismatch{
        LogMismatchKind::selection,
        Error{Errc::untrusted, "the IMA log extends PCR 10, which the quote leaves out", {}}};
  }
  if (start &&
      (quote.selections.size() != 1 || start->pcr.algorithm() != quote.selections.front().bank)) {
    return LogMismatch{LogMismatchKind::selection,
                       Error{Errc::invalid, "the remembered PCR 10 is not of the quoted bank", {}}};
  }
  for (ImaEntry const& entry : log.entries) {
    if (Status checked = check_ima_entry(entry); !checked) {
      return LogMismatch{LogMismatchKind::ima_log, checked.error()};
    }
  }
  return std::nullopt;
}

}  // namespace

tl::expected<ReplayedPcrs, LogMismatch> match_logs_to_quote(VerifiedQuote const& verified,
                                                            EventLog const* event_log,
                                                            ImaLog const* ima_log,
                                                            std::optional<ImaStart> start) {
  QuoteStatement const& quote = verified.statement();
  if (quote.selections.empty()) {
    return mismatch(LogMismatchKind::selection, "the quote selects no PCR");
  }
  auto banks = replay_boot(quote, event_log);
  if (!banks) return tl::unexpected<LogMismatch>(banks.error());
  if (ima_log == nullptr) return without_ima(quote, std::move(*banks));

  if (std::optional<LogMismatch> bad = check_ima(quote, *ima_log, start)) {
    return tl::unexpected<LogMismatch>(std::move(*bad));
  }
  std::optional<std::size_t> const covered =
      fold_to_agreement(quote, *ima_log, ImaFold(*banks, start), *banks);
  if (!covered) {
    return mismatch(LogMismatchKind::pcr_digest,
                    event_log == nullptr
                        ? "PCR digest: no prefix of the IMA log replays to what the TPM signed"
                        : "PCR digest: event log and IMA log replay to other values than the TPM "
                          "signed");
  }
  ReplayedPcrs result;
  result.covered_mask = quote.selections.front().mask;
  result.ima_entries = *covered;
  result.ima_offset =
      *covered < ima_log->entries.size() ? ima_log->entries[*covered].offset : ima_log->end_offset;
  result.ima_pcr = banks->front().value(kImaPcr);
  result.banks = std::move(*banks);
  return result;
}

Status match_pcrs_to_quote(VerifiedQuote const& verified, std::vector<PcrBank> const& banks) {
  QuoteStatement const& quote = verified.statement();
  if (quote.selections.empty()) return fail(Errc::untrusted, "the quote selects no PCR");
  std::vector<PcrBank> ordered;
  for (PcrSelection const& selection : quote.selections) {
    auto const bank = std::find_if(banks.begin(), banks.end(), [&](PcrBank const& b) {
      return b.algorithm() == selection.bank;
    });
    if (bank == banks.end()) {
      return fail(Errc::invalid,
                  fmt::format("no values of the quoted {} bank", to_string(selection.bank)));
    }
    for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr) {
      if (selects(selection, PcrIndex{pcr}) && !bank->touched(PcrIndex{pcr})) {
        return fail(Errc::invalid, fmt::format("no value of PCR {}, which is quoted", pcr));
      }
    }
    ordered.push_back(*bank);
  }
  if (!agrees(quote, ordered)) {
    return fail(Errc::untrusted, "PCR digest: these values are not what the TPM signed");
  }
  return {};
}

}  // namespace shamon
