#include "operator/cli/measure_verbs.hpp"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "measurement/event_log.hpp"
#include "measurement/ima_log.hpp"
#include "measurement/limits.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/input_file.hpp"
#include "operator/cli/output.hpp"

namespace shamon {
namespace {

using Json = nlohmann::ordered_json;

struct MeasureOptions {
  std::string file;
  std::string bank;
  bool json = false;
};

/// Prints the envelope. A broken log has both members: what was read, and what stopped it.
void print_json(std::string_view schema, Json const& data, std::optional<Error> const& offence) {
  Json envelope{{"schema", schema}, {"data", data}};
  if (offence) {
    envelope["error"] = Json{{"reason", offence->message}, {"code", to_string(offence->code)}};
    if (offence->offset) envelope["error"]["offset"] = *offence->offset;
  }
  std::cout << envelope.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

/// A file that cannot be read at all has no data.
int report_unreadable(std::string_view schema, Error const& error, bool json) {
  if (json) {
    Json const envelope{{"schema", schema},
                        {"error", {{"reason", error.message}, {"code", to_string(error.code)}}}};
    std::cout << envelope.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
  return report(error);
}

/// Touched PCRs of every bank. A bank that does not replay sets the offence, unless there is one.
Json replay_banks(EventLog const& log, std::vector<std::vector<std::string>>& rows,
                  std::optional<Error>& offence) {
  Json banks = Json::object();
  for (HashAlgorithm bank : log.banks) {
    Result<PcrBank> const replayed = replay(log, bank);
    if (!replayed) {
      if (!offence) offence = replayed.error();
      continue;
    }
    std::string const name(to_string(bank));
    banks[name] = Json::object();
    for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr) {
      if (!replayed->touched(PcrIndex{pcr})) continue;
      std::string const value = replayed->value(PcrIndex{pcr}).hex();
      banks[name][std::to_string(pcr)] = value;
      rows.push_back({name, std::to_string(pcr), value});
    }
  }
  return banks;
}

int measure_event_log(MeasureOptions const& options) {
  constexpr std::string_view kSchema = "shamon.measure.eventlog/1";
  Result<Bytes> const bytes = read_input_file(options.file, kEventLogBytesMax);
  if (!bytes) return report_unreadable(kSchema, bytes.error(), options.json);
  EventLogReading reading = read_event_log(*bytes);
  EventLog const& log = reading.log;
  std::vector<std::vector<std::string>> rows;
  Json const pcrs = replay_banks(log, rows, reading.offence);
  char const* const format = log.crypto_agile ? "crypto-agile" : "sha1";
  if (options.json) {
    Json banks = Json::array();
    for (HashAlgorithm bank : log.banks) banks.push_back(to_string(bank));
    print_json(
        kSchema,
        Json{{"format", format}, {"banks", banks}, {"events", log.events.size()}, {"pcrs", pcrs}},
        reading.offence);
  } else {
    std::cout << "format  " << format << "\nevents  " << log.events.size() << '\n';
    if (!rows.empty()) std::cout << '\n' << format_table({"BANK", "PCR", "VALUE"}, rows);
  }
  return reading.offence ? report(*reading.offence) : kExitYes;
}

/// PCR 10 of one bank after the entries before the first that contradicts itself.
Digest fold_whole_entries(ImaLog const& log, HashAlgorithm bank, std::optional<Error>& offence) {
  Digest value = Digest::zero(bank);
  for (ImaEntry const& entry : log.entries) {
    if (Status checked = check_ima_entry(entry); !checked) {
      // The contradiction comes before whatever ended the reading.
      offence = checked.error();
      break;
    }
    value = hash_pair(bank, value.bytes(), ima_extension(entry, bank).bytes());
  }
  return value;
}

int measure_ima(MeasureOptions const& options) {
  constexpr std::string_view kSchema = "shamon.measure.ima/1";
  std::vector<HashAlgorithm> banks{HashAlgorithm::sha1, HashAlgorithm::sha256};
  if (!options.bank.empty()) {
    Result<HashAlgorithm> const bank = parse_hash_algorithm(options.bank);
    if (!bank) return report(bank.error());
    banks = {*bank};
  }
  Result<Bytes> const bytes = read_input_file(options.file, kImaLogBytesMax);
  if (!bytes) return report_unreadable(kSchema, bytes.error(), options.json);
  ImaReading reading = read_ima(*bytes);
  std::size_t violations = 0;
  for (ImaEntry const& entry : reading.log.entries) violations += entry.violation ? 1 : 0;
  Json pcr10 = Json::object();
  std::vector<std::vector<std::string>> rows;
  std::optional<Error> offence = reading.offence;
  for (HashAlgorithm bank : banks) {
    std::string const value = fold_whole_entries(reading.log, bank, offence).hex();
    pcr10[std::string(to_string(bank))] = value;
    rows.push_back({std::string(to_string(bank)), "10", value});
  }
  if (options.json) {
    print_json(
        kSchema,
        Json{{"entries", reading.log.entries.size()}, {"violations", violations}, {"pcr10", pcr10}},
        offence);
  } else {
    std::cout << "entries     " << reading.log.entries.size() << "\nviolations  " << violations
              << "\n\n"
              << format_table({"BANK", "PCR", "VALUE"}, rows);
  }
  return offence ? report(*offence) : kExitYes;
}

}  // namespace

void add_measure_verbs(CLI::App& app, int& exit_code) {
  CLI::App* const noun = app.add_subcommand("measure", "Replay measurement logs off line");
  noun->require_subcommand(1);
  auto const options = std::make_shared<MeasureOptions>();

  CLI::App* const eventlog =
      noun->add_subcommand("eventlog", "PCR values a TCG event log accounts for");
  eventlog->add_option("file", options->file, "binary_bios_measurements")->required();
  eventlog->add_flag("--json", options->json, "print {\"schema\":…,\"data\":…}");
  eventlog->callback([options, &exit_code] { exit_code = measure_event_log(*options); });

  CLI::App* const ima = noun->add_subcommand("ima", "PCR 10 an IMA log accounts for");
  ima->add_option("file", options->file, "binary_ or ascii_runtime_measurements")->required();
  ima->add_option("--bank", options->bank,
                  "sha1, sha256, sha384 or sha512; sha1 and sha256 if none")
      ->check(CLI::IsMember({"sha1", "sha256", "sha384", "sha512"}));
  ima->add_flag("--json", options->json, "print {\"schema\":…,\"data\":…}");
  ima->callback([options, &exit_code] { exit_code = measure_ima(*options); });
}

}  // namespace shamon
