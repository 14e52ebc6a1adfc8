// shamon: the operator's command line.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "operator/cli/attest_verify.hpp"
#include "operator/cli/audit_verbs.hpp"
#include "operator/cli/coalition_verbs.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/measure_verbs.hpp"
#include "operator/cli/policy_verbs.hpp"
#include "operator/cli/proof_verbs.hpp"
#include "operator/lab/lab_verbs.hpp"

namespace {

/// For a word that is no noun or verb: which there are. The library would only miss one.
bool tell_known_words(CLI::App& app) {
  CLI::App* noun = &app;
  while (!noun->get_subcommands().empty()) noun = noun->get_subcommands().front();
  auto const unknown = app.remaining(true);
  auto const known = noun->get_subcommands([](CLI::App*) { return true; });
  if (unknown.empty() || known.empty()) return false;
  std::string const name = noun == &app ? "shamon" : "shamon " + noun->get_name();
  std::string message = name + ": there is no '" + unknown.front() + "'; there is ";
  for (auto const* word : known) message += (word == known.front() ? "" : ", ") + word->get_name();
  std::fprintf(stderr, "%s\n", message.c_str());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("shamon: one reference monitor spread over many machines");
  app.set_version_flag("--version", "shamon 0.1.0");
  app.require_subcommand(1);
  app.footer(
      "exit codes: 0 yes, 1 internal, 2 usage, 3 not found, 4 not authorised, 5 unreachable,\n"
      "6 conflict, 10 attestation failed, 11 stale, 12 policy denies, 13 flow violation, 14 "
      "revoked,\n"
      "15 proof does not hold");
  int exit_code = shamon::kExitYes;
  auto* attest = app.add_subcommand("attest", "evidence and what was made of it");
  attest->require_subcommand(1);
  shamon::add_coalition_verbs(app, *attest, exit_code);
  shamon::add_audit_verbs(app, exit_code);
  shamon::add_attest_verify(*attest, exit_code);
  shamon::add_measure_verbs(app, exit_code);
  shamon::add_policy_verbs(app, exit_code);
  shamon::add_proof_verbs(app, exit_code);
  shamon::add_lab_verbs(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (CLI::RequiredError const& error) {
    return tell_known_words(app) || app.exit(error) != 0 ? shamon::kExitUsage : shamon::kExitYes;
  } catch (CLI::ParseError const& error) {
    int const shown = app.exit(error);
    return shown == 0 ? shamon::kExitYes : shamon::kExitUsage;
  }
  return exit_code;
}
