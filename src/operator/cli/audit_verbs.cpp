#include "operator/cli/audit_verbs.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "audit/avc.hpp"
#include "audit/limits.hpp"
#include "audit/ocsf.hpp"
#include "audit/verify_chain.hpp"
#include "base/time_text.hpp"
#include "operator/cli/api.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/input_file.hpp"
#include "operator/cli/output.hpp"

namespace shamon {
namespace {

struct Options {
  std::string host, socket;
  std::string format = "text";
  bool json = false, denied = false, follow = false, all_signed = false;
  unsigned limit = 20;
  std::vector<std::string> files, keys;
  std::string head;
};

void add_host(CLI::App& verb, Options& options) {
  verb.add_option("--host", options.host, "the machine whose monitor is asked");
  verb.add_option("--socket", options.socket, "its monitor's UNIX socket");
}

void print_row(AuditRow const& row, AuditStart const& writer, std::string const& format) {
  if (format == "avc") {
    for (auto const& line : to_audit_lines(row, writer)) std::printf("%s\n", line.c_str());
  } else if (format == "ocsf") {
    std::printf("%s\n", to_ocsf(row, writer).c_str());
  } else if (format == "jsonl") {
    std::printf("%s\n", encode_json(row).c_str());
  } else {
    std::string const times =
        row.count > 1 && !row.summary ? " (" + std::to_string(row.count) + " times)" : "";
    std::printf("%s  %s%s\n", to_iso8601(row.time).c_str(), row.text.c_str(), times.c_str());
  }
}

Result<std::string> ask(Options const& options, std::string const& target) {
  auto const socket = find_host_socket(options.socket, options.host);
  if (!socket) return pass(socket);
  ApiClient client(*socket);
  return client.get(target);
}

Result<AuditStart> ask_writer(Options const& options) {
  auto const body = ask(options, "/v1/audit/writer");
  if (!body) return pass(body);
  return decode_json<AuditStart>(*body);
}

int print_list(Options const& options) {
  auto const body = ask(options, "/v1/audit?limit=" + std::to_string(options.limit) +
                                     (options.denied ? "&denied=1" : ""));
  if (!body) return report(body.error());
  if (options.json) {
    std::cout << json_envelope("shamon.audit.tail/1", *body);
    return kExitYes;
  }
  auto const list = decode_json<AuditList>(*body);
  if (!list) return report(list.error());
  auto const writer = ask_writer(options);
  if (!writer) return report(writer.error());
  for (auto const& row : list->records) print_row(row, *writer, options.format);
  return kExitYes;
}

int follow(Options const& options) {
  auto const writer = ask_writer(options);
  if (!writer) return report(writer.error());
  // The last rows that are there already, then what comes after them.
  auto const body = ask(options, "/v1/audit?limit=" + std::to_string(options.limit) +
                                     (options.denied ? "&denied=1" : ""));
  auto const kept = body ? decode_json<AuditList>(*body) : Result<AuditList>(pass(body));
  if (!kept) return report(kept.error());
  std::string const format = options.json ? "jsonl" : options.format;
  std::uint64_t last = 0;
  for (auto const& row : kept->records) {
    print_row(row, *writer, format);
    last = row.sequence;
  }
  std::fflush(stdout);
  auto const socket = find_host_socket(options.socket, options.host);
  if (!socket) return report(socket.error());
  ApiClient client(*socket);
  int code = kExitYes;
  auto const ended = client.follow(
      "/v1/audit/stream?after=" + std::to_string(last) + (options.denied ? "&denied=1" : ""),
      [&](ServerSentEvent const& event) {
        auto const row = decode_json<AuditRow>(event.data);
        if (!row) {
          code = report(row.error());
          return false;
        }
        print_row(*row, *writer, format);
        std::fflush(stdout);
        return true;
      });
  return ended ? code : report(ended.error());
}

/// A folder stands for the journal files in it.
std::vector<std::string> journal_files(std::vector<std::string> const& named) {
  std::vector<std::string> out;
  for (auto const& name : named) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(name, ignored)) {
      out.push_back(name);
      continue;
    }
    for (auto const& entry : std::filesystem::directory_iterator(name, ignored)) {
      std::string const file = entry.path().filename();
      if (file.starts_with("audit.") && file.ends_with(".jsonl")) out.push_back(entry.path());
    }
  }
  std::sort(out.begin(), out.end());  // audit.000000000123.jsonl, …, audit.jsonl
  return out;
}

int export_files(Options const& options) {
  AuditStart writer;
  for (auto const& name : journal_files(options.files)) {
    auto const bytes = read_input_file(name, kAuditFileReadBytesMax);
    if (!bytes) return report(bytes.error());
    std::string_view rest = as_text(*bytes);
    for (unsigned number = 1; !rest.empty(); ++number) {
      std::size_t const end = rest.find('\n');
      if (end == std::string_view::npos) break;  // torn: never acknowledged
      auto const line = parse_audit_line(rest.substr(0, end));
      rest.remove_prefix(end + 1);
      if (!line) {
        return report({line.error().code,
                       name + ":" + std::to_string(number) + ": " + line.error().message,
                       {}});
      }
      if (line->start) writer = *line->start;
      bool const wanted = line->record && (!options.denied || line->record->verdict == "denied");
      if (wanted) print_row(*line->record, writer, options.format);
    }
  }
  return kExitYes;
}

void print_verdict(ChainVerdict const& v, bool json) {
  if (json) {
    nlohmann::ordered_json data{{"holds", v.holds()},
                                {"fault", to_string(v.fault)},
                                {"file", v.file},
                                {"line", v.line},
                                {"sequence", v.sequence},
                                {"text", v.text},
                                {"host", v.host.value()},
                                {"first_sequence", v.first_sequence},
                                {"last_sequence", v.last_sequence},
                                {"records", v.records},
                                {"heads", v.heads},
                                {"restarts", v.restarts},
                                {"notes", v.notes},
                                {"last_signed", v.last_signed},
                                {"unsigned_lines", v.unsigned_lines},
                                {"torn_bytes", v.torn_bytes},
                                {"ended_cleanly", v.ended_cleanly}};
    using Handler = nlohmann::ordered_json::error_handler_t;
    std::cout << json_envelope("shamon.audit.verify/1",
                               data.dump(-1, ' ', false, Handler::replace));
    return;
  }
  auto number = [](std::uint64_t value) { return std::to_string(value); };
  if (!v.holds()) {
    std::string const at = v.line == 0 ? v.file : v.file + ":" + number(v.line);
    std::printf("%s: %s: %s\n", at.c_str(), to_string(v.fault), v.text.c_str());
    return;
  }
  std::string out = "holds: lines " + number(v.first_sequence) + " to " + number(v.last_sequence) +
                    " of " + v.host.value() + ", " + number(v.records) + " records, " +
                    number(v.heads) + " signed heads, " + number(v.restarts) + " restarts\n";
  if (v.first_sequence != 1) out += "note: earlier files were not given\n";
  if (v.unsigned_lines != 0) {
    out += "note: the last " + number(v.unsigned_lines) + " lines are chained but not signed yet\n";
  }
  if (v.torn_bytes != 0) {
    out += "note: the last line is torn (" + number(v.torn_bytes) +
           " bytes): its writer was ended in it\n";
  }
  if (v.notes != 0) out += "note: the journal holds " + number(v.notes) + " notes about itself\n";
  std::fputs(out.c_str(), stdout);
}

int verify(Options const& options) {
  ChainExpectations expected;
  expected.all_signed = options.all_signed;
  for (auto const& name : options.keys) {
    auto const pem = read_input_file(name, 64u << 10);
    if (!pem) return report(pem.error());
    auto key = PublicKey::from_pem(as_text(*pem));
    if (!key) return report(Error{key.error().code, name + ": " + key.error().message, {}});
    expected.keys.push_back(std::move(*key));
  }
  auto const names = journal_files(options.files);
  std::string head = options.head;
  if (head.empty() && !names.empty()) {
    // Beside the files stands the last head; better is one that was kept on another machine.
    std::filesystem::path const beside =
        std::filesystem::path(names.back()).parent_path() / "audit.head";
    std::error_code ignored;
    if (std::filesystem::exists(beside, ignored)) head = beside;
  }
  if (!head.empty()) {
    auto const text = read_input_file(head, kAuditLineBytesMax);
    if (!text) return report(text.error());
    expected.known = std::string(as_text(*text).substr(0, as_text(*text).find('\n')));
  }
  std::vector<Bytes> contents;
  std::vector<JournalFile> files;
  for (auto const& name : names) {
    auto bytes = read_input_file(name, kAuditFileReadBytesMax);
    if (!bytes) return report(bytes.error());
    contents.push_back(std::move(*bytes));
  }
  for (std::size_t i = 0; i < names.size(); ++i) files.push_back({names[i], contents[i]});
  ChainVerdict const verdict = verify_chain(files, expected);
  print_verdict(verdict, options.json);
  return verdict.holds() ? kExitYes : kExitProofInvalid;
}

void add_tail_and_export(CLI::App& audit, int& exit_code) {
  auto* tail = audit.add_subcommand("tail", "the latest records of a machine");
  auto options = std::make_shared<Options>();
  tail->add_flag("--denied", options->denied, "only refusals");
  tail->add_flag("-f,--follow", options->follow, "go on with what is decided from now on");
  tail->add_option("-n,--limit", options->limit, "how many")->check(CLI::Range(1, 10000));
  tail->add_flag("--json", options->json, "one JSON object; with --follow one a line");
  tail->add_option("-o,--output", options->format, "text, jsonl, avc or ocsf")
      ->check(CLI::IsMember({"text", "jsonl", "avc", "ocsf"}));
  add_host(*tail, *options);
  tail->callback(
      [=, &exit_code] { exit_code = options->follow ? follow(*options) : print_list(*options); });

  auto* out = audit.add_subcommand("export", "records in the words of other tools, one a line");
  auto wanted = std::make_shared<Options>();
  wanted->format = "avc";
  wanted->limit = 10'000;
  out->add_option(
      "file", wanted->files,
      "journal files, or the folder they are in; none: a running monitor's last 10,000");
  out->add_flag("--denied", wanted->denied, "only refusals");
  out->add_option("--format", wanted->format, "avc (ausearch, audit2why), ocsf or jsonl")
      ->check(CLI::IsMember({"avc", "ocsf", "jsonl"}));
  add_host(*out, *wanted);
  out->callback([=, &exit_code] {
    exit_code = wanted->files.empty() ? print_list(*wanted) : export_files(*wanted);
  });
}

}  // namespace

void add_audit_verbs(CLI::App& app, int& exit_code) {
  auto* audit = app.add_subcommand("audit", "what was decided, and by which rule");
  audit->require_subcommand(1);
  add_tail_and_export(*audit, exit_code);

  auto* verb = audit->add_subcommand("verify", "is a journal whole, unaltered and signed");
  auto options = std::make_shared<Options>();
  verb->add_option("file", options->files, "journal files, or the folder they are in")->required();
  verb->add_option("--key", options->keys, "the journal's public key, PEM (audit.pub)")->required();
  verb->add_option("--head", options->head,
                   "a head kept elsewhere (shamon audit head); else audit.head beside the files");
  verb->add_flag("--signed", options->all_signed, "nothing may stand behind the last signed head");
  verb->add_flag("--json", options->json, "print {\"schema\":…,\"data\":…}");
  verb->callback([=, &exit_code] { exit_code = verify(*options); });

  constexpr std::pair<char const*, char const*> kKept[] = {
      {"key", "the journal's public key, to be kept on another machine"},
      {"head", "the last signed head, to be kept on another machine"}};
  for (auto const& [name, what] : kKept) {
    auto* kept = audit->add_subcommand(name, what);
    auto from = std::make_shared<Options>();
    add_host(*kept, *from);
    kept->callback([=, &exit_code, target = "/v1/audit/" + std::string(name)] {
      auto const body = ask(*from, target);
      if (body) std::cout << *body;
      exit_code = body ? kExitYes : report(body.error());
    });
  }
}

}  // namespace shamon
