#include "operator/cli/attest_verify.hpp"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "measurement/limits.hpp"
#include "measurement/pcr_text.hpp"
#include "measurement/verify_logs.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/input_file.hpp"
#include "operator/cli/output.hpp"

namespace shamon {
namespace {

using Json = nlohmann::ordered_json;

struct VerifyOptions {
  std::string ak, quote, signature, nonce;
  std::string event_log, ima_log, pcrs;
  bool json = false;
};

/// What the user gave, read but not yet judged.
struct Inputs {
  Bytes ak, quote, signature, nonce;
  std::optional<Bytes> event_log, ima_log, pcrs;
};

/// The first check that did not hold.
struct Refusal {
  std::string check;
  Error error;
};

struct Outcome {
  std::optional<Refusal> refusal;
  std::vector<std::pair<std::string, std::string>> held;  ///< check and what it found
  std::optional<ReplayedPcrs> replayed;
  std::optional<QuoteStatement> statement;
  std::optional<bool> restricted_key;  ///< unknown for a PEM
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  return text;
}

/// Hexadecimal as typed, or a file with hexadecimal or with the bytes themselves.
Result<Bytes> read_nonce(std::string const& argument) {
  if (Result<Bytes> typed = from_hex(argument); typed && !argument.empty()) return typed;
  Result<Bytes> content = read_input_file(argument, 4096);
  if (!content) return content;
  Result<Bytes> decoded = from_hex(trimmed(as_text(*content)));
  return decoded && !decoded->empty() ? decoded : content;
}

Status read_optional(std::string const& path, std::size_t bytes_max, std::optional<Bytes>& out) {
  if (path.empty()) return {};
  Result<Bytes> content = read_input_file(path, bytes_max);
  if (!content) return pass(content);
  out = std::move(*content);
  return {};
}

Result<Inputs> read_inputs(VerifyOptions const& options) {
  constexpr std::size_t kSmallFileBytesMax = 64u << 10;
  Inputs inputs;
  for (auto const& [path, out] :
       {std::pair(&options.ak, &inputs.ak), std::pair(&options.quote, &inputs.quote),
        std::pair(&options.signature, &inputs.signature)}) {
    Result<Bytes> content = read_input_file(*path, kSmallFileBytesMax);
    if (!content) return pass(content);
    *out = std::move(*content);
  }
  Result<Bytes> nonce = read_nonce(options.nonce);
  if (!nonce) return pass(nonce, "nonce is neither hexadecimal nor a file");
  inputs.nonce = std::move(*nonce);
  if (Status s = read_optional(options.event_log, kEventLogBytesMax, inputs.event_log); !s) {
    return pass(s);
  }
  if (Status s = read_optional(options.ima_log, kImaLogBytesMax, inputs.ima_log); !s) {
    return pass(s);
  }
  if (Status s = read_optional(options.pcrs, kSmallFileBytesMax, inputs.pcrs); !s) return pass(s);
  return inputs;
}

Result<PublicKey> read_key(ByteView bytes, std::optional<bool>& restricted) {
  if (as_text(bytes).find("-----BEGIN") != std::string_view::npos) {
    return PublicKey::from_pem(as_text(bytes));
  }
  Result<TpmPublicArea> area = parse_tpm_public(bytes);
  if (!area) return pass(area);
  restricted = is_restricted_signing_key(*area);
  return area->key;
}

char const* name_of(KeyType type) {
  switch (type) {
    case KeyType::ecdsa_p256: return "ECDSA P-256";
    case KeyType::ecdsa_p384: return "ECDSA P-384";
    case KeyType::rsa: return "RSA";
  }
  return "unknown";
}

char const* check_of(LogMismatchKind kind) {
  switch (kind) {
    case LogMismatchKind::selection: return "pcr_selection";
    case LogMismatchKind::event_log: return "event_log";
    case LogMismatchKind::ima_log: return "ima_log";
    case LogMismatchKind::pcr_digest: return "pcr_digest";
  }
  return "unknown";
}

/// verify_quote names the failed check in front of its message.
std::string check_of(Error const& error) {
  return error.message.substr(0, error.message.find(':'));
}

std::optional<Refusal> match_logs(Inputs const& inputs, VerifiedQuote const& quote,
                                  Outcome& outcome) {
  std::optional<EventLog> event_log;
  std::optional<ImaLog> ima_log;
  if (inputs.event_log) {
    Result<EventLog> parsed = parse_event_log(*inputs.event_log);
    if (!parsed) return Refusal{"event_log", parsed.error()};
    event_log = std::move(*parsed);
  }
  if (inputs.ima_log) {
    Result<ImaLog> parsed = parse_ima(*inputs.ima_log);
    if (!parsed) return Refusal{"ima_log", parsed.error()};
    ima_log = std::move(*parsed);
  }
  auto matched =
      match_logs_to_quote(quote, event_log ? &*event_log : nullptr, ima_log ? &*ima_log : nullptr);
  if (!matched) return Refusal{check_of(matched.error().kind), matched.error().error};
  if (event_log) {
    outcome.held.emplace_back("event log", std::to_string(event_log->events.size()) + " events");
  }
  if (ima_log) {
    outcome.held.emplace_back("IMA log", std::to_string(matched->ima_entries) + " of " +
                                             std::to_string(ima_log->entries.size()) +
                                             " entries are covered by the quote");
  }
  outcome.replayed = std::move(*matched);
  return std::nullopt;
}

std::optional<Refusal> check(Inputs const& inputs, Outcome& outcome) {
  Result<PublicKey> const key = read_key(inputs.ak, outcome.restricted_key);
  if (!key) return Refusal{"key", key.error()};
  if (outcome.restricted_key == false) {
    return Refusal{"key", Error{Errc::untrusted,
                                "the key is no restricted signing key of a TPM: it also signs what "
                                "only looks like a quote",
                                {}}};
  }
  Result<VerifiedQuote> const quote =
      verify_quote(*key, inputs.quote, inputs.signature, inputs.nonce);
  if (!quote) return Refusal{check_of(quote.error()), quote.error()};
  outcome.statement = quote->statement();
  outcome.held.emplace_back("signature", name_of(key->type()));
  outcome.held.emplace_back("nonce", to_hex(inputs.nonce));

  if (!inputs.event_log && !inputs.ima_log && !inputs.pcrs) {
    return Refusal{"pcr_digest",
                   Error{Errc::untrusted,
                         "no log or PCR values to check the digest against; give --eventlog, "
                         "--ima or --pcrs",
                         {}}};
  }
  if (inputs.pcrs) {
    Result<std::vector<PcrBank>> const banks = parse_pcr_text(as_text(*inputs.pcrs));
    if (!banks) return Refusal{"pcrs", banks.error()};
    Status const matched = match_pcrs_to_quote(*quote, *banks);
    if (!matched) return Refusal{"pcr_digest", matched.error()};
    outcome.held.emplace_back("PCR values", "as in the file");
  }
  if (inputs.event_log || inputs.ima_log) {
    if (std::optional<Refusal> refusal = match_logs(inputs, *quote, outcome)) return refusal;
  }
  return std::nullopt;
}

Json to_json(Outcome const& outcome) {
  Json data{{"verified", !outcome.refusal.has_value()}};
  if (outcome.refusal) {
    data["check"] = outcome.refusal->check;
    data["reason"] = outcome.refusal->error.message;
    if (outcome.refusal->error.offset) data["offset"] = *outcome.refusal->error.offset;
  }
  if (outcome.restricted_key) data["restricted_key"] = *outcome.restricted_key;
  if (outcome.statement) {
    data["clock_ms"] = outcome.statement->clock_ms;
    data["reset_count"] = outcome.statement->reset_count;
    data["restart_count"] = outcome.statement->restart_count;
    data["firmware_version"] = outcome.statement->firmware_version;
    data["pcr_digest"] = to_hex(outcome.statement->pcr_digest);
  }
  if (!outcome.replayed) return data;
  data["ima_entries"] = outcome.replayed->ima_entries;
  data["ima_offset"] = outcome.replayed->ima_offset;
  Json pcrs = Json::object();
  for (std::size_t i = 0; i < outcome.replayed->banks.size(); ++i) {
    PcrBank const& bank = outcome.replayed->banks[i];
    for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr) {
      if ((outcome.statement->selections[i].mask >> pcr & 1) == 0) continue;
      pcrs[std::string(to_string(bank.algorithm()))][std::to_string(pcr)] =
          bank.value(PcrIndex{pcr}).hex();
    }
  }
  data["pcrs"] = pcrs;
  return data;
}

int verify(VerifyOptions const& options) {
  Result<Inputs> const inputs = read_inputs(options);
  if (!inputs) return report(inputs.error());
  Outcome outcome;
  outcome.refusal = check(*inputs, outcome);
  if (options.json) {
    std::cout << json_envelope(
        "shamon.attest.verify/1",
        to_json(outcome).dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    for (auto const& [what, found] : outcome.held) {
      std::cout << what << std::string(12 - std::min<std::size_t>(what.size(), 11), ' ') << found
                << '\n';
    }
    std::cout << (outcome.refusal ? bad("not verified") : good("verified")) << '\n';
  }
  if (!outcome.refusal) {
    if (!outcome.restricted_key) {
      std::cerr << "shamon: note: a PEM does not say whether the key is restricted to what its TPM "
                   "made; give the TPM2B_PUBLIC to have that checked\n";
    }
    return kExitYes;
  }
  report(outcome.refusal->error);
  return kExitAttestationFailed;
}

}  // namespace

void add_attest_verify(CLI::App& attest_noun, int& exit_code) {
  auto const options = std::make_shared<VerifyOptions>();
  CLI::App* const verb =
      attest_noun.add_subcommand("verify", "Check a recorded quote and its logs off line");
  verb->add_option("--ak", options->ak, "attestation key: PEM, TPM2B_PUBLIC or TPMT_PUBLIC")
      ->required();
  verb->add_option("--quote", options->quote, "TPMS_ATTEST")->required();
  verb->add_option("--sig", options->signature, "TPMT_SIGNATURE")->required();
  verb->add_option("--nonce", options->nonce,
                   "hexadecimal, or a file with hexadecimal or with the bytes")
      ->required();
  verb->add_option("--eventlog", options->event_log, "TCG event log");
  verb->add_option("--ima", options->ima_log, "IMA log, binary or ascii");
  verb->add_option("--pcrs", options->pcrs, "PCR values as tpm2_pcrread prints them");
  verb->add_flag("--json", options->json, "print {\"schema\":…,\"data\":…}");
  verb->callback([options, &exit_code] { exit_code = verify(*options); });
}

}  // namespace shamon
