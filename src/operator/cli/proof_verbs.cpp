#include "operator/cli/proof_verbs.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/time_text.hpp"
#include "operator/cli/api.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"
#include "trust/limits.hpp"
#include "trust/proof.hpp"

namespace shamon {
namespace {

struct Options {
  std::string authority;
  std::string host;
  std::string file;
  std::string output;
  std::vector<std::string> speakers;
  std::int64_t at_ms = -1;
  bool json = false;
};

/// What the checker could not decide by itself: who was believed, and about what.
struct Believed {
  std::vector<ProofStep> facts;
  bool operator()(ProofStep const& fact, std::vector<std::string> const& speakers) {
    auto const& speaker = fact.statement.speaker;
    if (std::find(speakers.begin(), speakers.end(), speaker) == speakers.end()) return false;
    facts.push_back(fact);
    return true;
  }
};

int fetch(Options const& options) {
  auto const socket = find_authority_socket(options.authority);
  if (!socket) return report(socket.error());
  ApiClient client(*socket);
  auto const text = client.get("/v1/proof/host/" + options.host);
  if (!text) return report(text.error());
  if (options.output.empty()) {
    std::cout << *text;
    return kExitYes;
  }
  auto const written = write_file_atomically(options.output, as_bytes(*text), 0644);
  return written ? static_cast<int>(kExitYes) : report(written.error());
}

/// Why the proof does not hold; empty if it does.
std::string objection(Proof const& proof, Options const& options, Believed& believed) {
  auto const checked = check_proof(proof, builtin_rules(), [&](ProofStep const& fact) {
    return believed(fact, options.speakers);
  });
  if (!checked) return checked.error().message;
  WallTime const at = options.at_ms < 0 ? read_wall_clock() : WallTime(options.at_ms * 1'000'000);
  Validity const validity = proof.conclusion().validity;
  if (validity.contains(at)) return "";
  return "each step follows, but the conclusion holds only from " + to_iso8601(validity.from) +
         " until " + to_iso8601(validity.until) + ", not at " + to_iso8601(at);
}

nlohmann::json to_json(Proof const& proof, Believed const& believed, std::string const& wrong) {
  nlohmann::json facts = nlohmann::json::array();
  for (auto const& fact : believed.facts) {
    facts.push_back({{"statement", to_text(fact.statement)}, {"source", fact.source}});
  }
  return {{"holds", wrong.empty()},
          {"objection", wrong},
          {"conclusion", to_text(proof.conclusion().statement)},
          {"steps", proof.steps.size()},
          {"believed", facts}};
}

int check(Options const& options) {
  auto const text = read_text_file(options.file, kProofTextBytesMax + 1);
  if (!text) return report(text.error());
  auto const proof = parse_proof(*text);
  if (!proof) {
    std::fprintf(stderr, "shamon: %s: %s\n", options.file.c_str(),
                 proof.error().describe().c_str());
    return kExitUsage;
  }
  Believed believed;
  std::string const wrong = objection(*proof, options, believed);
  if (options.json) {
    std::cout << json_envelope("shamon.proof.check/1",
                               to_json(*proof, believed, wrong)
                                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return wrong.empty() ? kExitYes : kExitProofInvalid;
  }
  std::printf("%s: %s\n", wrong.empty() ? "holds" : "does not hold",
              to_text(proof->conclusion().statement).c_str());
  if (!wrong.empty()) {
    std::fprintf(stderr, "shamon: %s\n", wrong.c_str());
    return kExitProofInvalid;
  }
  for (auto const& line : proof_lines(*proof, builtin_rules())) std::printf("%s\n", line.c_str());
  std::printf("\n%zu facts stand on the word of those named with --speaker:\n",
              believed.facts.size());
  for (auto const& fact : believed.facts) {
    std::printf("  %s  [%s]\n", to_text(fact.statement).c_str(), fact.source.c_str());
  }
  return kExitYes;
}

}  // namespace

void add_proof_verbs(CLI::App& app, int& exit_code) {
  auto* noun = app.add_subcommand("proof", "why a machine is a member: proofs anyone can check");
  noun->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* verb = noun->add_subcommand("host", "the authority's proof that this machine is a member");
  verb->add_option("name", options->host, "machine")->required();
  verb->add_option("-o,--output", options->output, "write it to this file");
  verb->add_option("--authority", options->authority, "the authority's UNIX socket");
  verb->callback([=, &exit_code] { exit_code = fetch(*options); });

  verb = noun->add_subcommand("check", "check FILE step by step against the rules, off line");
  verb->add_option("file", options->file, "proof")->required();
  verb->add_option("--speaker", options->speakers,
                   "whose facts you believe, e.g. authority; nobody's without it");
  verb->add_option("--at", options->at_ms, "time to judge validity at, ms since 1970 (now)");
  verb->add_flag("--json", options->json, "one JSON object");
  verb->callback([=, &exit_code] { exit_code = check(*options); });

  verb = noun->add_subcommand("rules", "the rules every proof is checked against");
  verb->callback([&exit_code] {
    std::cout << builtin_rules_text();
    exit_code = kExitYes;
  });
}

}  // namespace shamon
