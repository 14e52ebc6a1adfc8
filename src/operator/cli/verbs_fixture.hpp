// Runs verbs of `shamon` within a test, as the program would.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/folder_fixture.hpp"

namespace shamon {

struct Outcome {
  int exit_code = 0;
  std::string out, err;
  /// Of `--json`; discarded if it is none.
  nlohmann::json parsed() const { return nlohmann::json::parse(out, nullptr, false); }
};

/// `add(app, exit_code)` adds the verbs; `words` stand behind the program's name. What CLI11
/// refuses exits with 2.
template <class Add>
Outcome run_verbs(Add add, std::vector<std::string> words) {
  CLI::App app("shamon");
  Outcome outcome;
  add(app, outcome.exit_code);
  std::reverse(words.begin(), words.end());  // as CLI11 wants a vector
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  try {
    app.parse(words);
  } catch (CLI::ParseError const&) {
    outcome.exit_code = 2;
  }
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

}  // namespace shamon
