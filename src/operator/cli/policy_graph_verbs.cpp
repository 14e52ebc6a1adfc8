#include "operator/cli/policy_graph_verbs.hpp"

#include <cstdio>

#include "base/file.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/flow_drawing.hpp"
#include "operator/cli/output.hpp"
#include "operator/cli/policy_file.hpp"

namespace shamon {
namespace {

struct Options {
  std::string file;
  std::string format;  ///< empty: by the ending of `out`, otherwise dot
  std::string out;
};

int graph(Options const& options) {
  auto const build = load_policy_file(options.file);
  if (!build) return kExitUsage;
  LabelGraph const labels(build->compiled, *build->document);
  auto const goals = check_goals(labels, build->compiled, *build->document);
  std::string const title = build->compiled.coalition().value() + " revision " +
                            std::to_string(build->compiled.revision().value());
  bool const svg =
      options.format == "svg" || (options.format.empty() && options.out.ends_with(".svg"));
  std::string const text = svg ? draw_svg(labels, goals, title) : draw_dot(labels, goals, title);
  if (options.out.empty()) {
    std::fputs(text.c_str(), stdout);
    return kExitYes;
  }
  auto const written = write_file_atomically(options.out, as_bytes(text), 0644);
  return written ? static_cast<int>(kExitYes) : report(written.error());
}

}  // namespace

void add_policy_graph_verbs(CLI::App& policy_noun, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* verb = policy_noun.add_subcommand("graph", "FILE as a picture, violated goals in red");
  verb->add_option("file", options->file, "policy file")->required();
  verb->add_option("--format", options->format, "dot or svg; by OUT's ending if left out")
      ->check(CLI::IsMember({"dot", "svg"}));
  verb->add_option("-o,--output", options->out, "write here, not to standard output");
  verb->callback([options, &exit_code] { exit_code = graph(*options); });
}

}  // namespace shamon
