#include "operator/cli/policy_prove_verbs.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/matrix_proof.hpp"
#include "operator/cli/output.hpp"
#include "operator/cli/policy_file.hpp"
#include "policy/decision_text.hpp"
#include "policy/limits.hpp"
#include "policy/service.hpp"

namespace shamon {
namespace {

using nlohmann::json;

struct Options {
  std::string file;
  std::string solver = "any";
  std::string emit;
  std::string image;
  unsigned timeout_s = 60;
  bool as_json = false;
};

struct Outcome {
  std::vector<std::string> disagreements;
  std::vector<MatrixProof> proofs;  ///< one a solver that was asked
  std::size_t labels = 0;

  bool proved() const {
    for (auto const& proof : proofs) {
      if (proof.counterexample) return false;
    }
    return disagreements.empty() && !proofs.empty();
  }
};

/// The first that is installed for "any", both for "both".
Result<std::vector<MatrixProof>> ask_solvers(Options const& options, MatrixQuestion const& question,
                                             PolicyDocument const& document,
                                             CompiledPolicy const& policy) {
  std::vector<MatrixProof> out;
  Instant const deadline = read_monotonic_clock() + std::chrono::seconds(options.timeout_s);
  for (auto const name : kSolverNames) {
    if (options.solver == "z3" || options.solver == "cvc5") {
      if (options.solver != name) continue;
    }
    auto proof = prove_matrix(question, document, policy, std::string(name),
                              deadline - read_monotonic_clock());
    if (proof) out.push_back(std::move(*proof));
    bool const missing = !proof && proof.error().code == Errc::not_found;
    if (!proof && !(missing && options.solver == "any")) return pass(proof);
    if (!out.empty() && (options.solver == "any" || out.back().counterexample)) return out;
  }
  if (!out.empty()) return out;
  return fail(Errc::not_found, "neither z3 nor cvc5 is installed: apt-get install z3");
}

json to_json(Counterexample const& found) {
  json statements = json::array();
  for (auto const& origin : found.statements) {
    statements.push_back({{"file", origin.file}, {"line", origin.line}, {"text", origin.text}});
  }
  return {{"operation", to_string(found.operation)},
          {"subject", found.from},
          {"object", found.to},
          {"service", found.operation == Operation::flow ? json(to_string(found.service)) : json()},
          {"protocol", found.service.protocol},
          {"port", found.service.port},
          {"source_port", found.service.source_port},
          {"statements_allow", found.statements_allow},
          {"tables_allow", found.tables_allow},
          {"unlicensed", found.unlicensed},
          {"confirmed", found.confirmed},
          {"statements", statements}};
}

json to_json(Outcome const& outcome) {
  json solvers = json::array();
  json counterexample;
  for (auto const& proof : outcome.proofs) {
    solvers.push_back({{"solver", proof.solver},
                       {"rows", proof.rows},
                       {"seconds", std::chrono::duration<double>(proof.took).count()}});
    if (proof.counterexample) counterexample = to_json(*proof.counterexample);
  }
  return {{"proved", outcome.proved()},
          {"labels", outcome.labels},
          {"disagreements", outcome.disagreements},
          {"solvers", solvers},
          {"counterexample", counterexample}};
}

void print(Options const& options, Outcome const& outcome) {
  if (outcome.proved()) {
    std::printf("%s: proved: the compiled policy says what its statements say\n",
                options.file.c_str());
    std::printf("  %zu labels, %zu pairs, every protocol and port of each\n", outcome.labels,
                outcome.labels * outcome.labels);
  } else {
    std::printf("%s: not so: the compiled policy differs from its statements\n",
                options.file.c_str());
  }
  for (auto const& text : outcome.disagreements) std::printf("  %s\n", text.c_str());
  for (auto const& proof : outcome.proofs) {
    std::printf("  %s, %.2f s\n", proof.solver.c_str(),
                std::chrono::duration<double>(proof.took).count());
    if (proof.counterexample) std::printf("%s\n", proof.counterexample->describe().c_str());
  }
}

/// The tables as a gate has them: from a file, or written to the byte image and read again.
Result<CompiledPolicy> read_tables(Options const& options, CompiledPolicy const& compiled) {
  if (options.image.empty()) return CompiledPolicy::from_image(compiled.image());
  auto const image = read_file(options.image, kImageBytesMax);
  if (!image) return pass(image);
  auto policy = CompiledPolicy::from_image(*image);
  if (!policy) return pass(policy, options.image);
  return policy;
}

/// Says why on standard error, whatever the solver did.
int nothing_proved(Error const& error) {
  (void)report(error);
  std::fputs("shamon: nothing is proved\n", stderr);
  if (error.code == Errc::not_found) return kExitNotFound;
  bool const undecided = error.code == Errc::timeout || error.code == Errc::unsupported;
  return undecided ? kExitUnreachable : kExitInternal;
}

int prove(Options const& options) {
  auto const build = load_policy_file(options.file);
  if (!build) return kExitUsage;
  auto const policy = read_tables(options, build->compiled);
  if (!policy) return report(policy.error());
  MatrixQuestion const question(*build->document, *policy);
  std::string const script = question.script();
  Outcome outcome{question.disagreements(), {}, policy->label_count()};
  if (options.image.empty() &&
      script != MatrixQuestion(*build->document, build->compiled).script()) {
    outcome.disagreements.push_back("the byte image carries other tables than were compiled");
  }
  if (!options.emit.empty()) {
    auto const written = write_file_atomically(options.emit, as_bytes(script), 0644);
    if (!written) return report(written.error());
  }
  if (outcome.disagreements.empty()) {
    auto proofs = ask_solvers(options, question, *build->document, *policy);
    if (!proofs) return nothing_proved(proofs.error());
    outcome.proofs = std::move(*proofs);
  }
  if (options.as_json) {
    std::fputs(json_envelope("shamon.policy.prove/1",
                             to_json(outcome).dump(-1, ' ', false, json::error_handler_t::replace))
                   .c_str(),
               stdout);
  } else {
    print(options, outcome);
  }
  return outcome.proved() ? kExitYes : kExitProofInvalid;
}

}  // namespace

void add_policy_prove_verbs(CLI::App& policy_noun, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* verb = policy_noun.add_subcommand(
      "prove", "have an SMT solver prove that the compiled FILE says what its statements say");
  verb->add_option("file", options->file, "policy file")->required();
  verb->add_option("--solver", options->solver, "z3, cvc5, both, or any that is installed")
      ->check(CLI::IsMember({"any", "z3", "cvc5", "both"}))
      ->capture_default_str();
  verb->add_option("--image", options->image,
                   "ask about the tables of this byte image instead of those FILE compiles to");
  verb->add_option("--emit", options->emit, "write the questions as SMT-LIB 2 to this file");
  verb->add_option("--timeout", options->timeout_s, "seconds for all answers")
      ->check(CLI::Range(1u, 86400u))
      ->capture_default_str();
  verb->add_flag("--json", options->as_json, "one JSON object");
  verb->callback([options, &exit_code] { exit_code = prove(*options); });
}

}  // namespace shamon
