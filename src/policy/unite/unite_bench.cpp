// Uniting the policies of many coalitions: the target is 200 of them in less than 100 ms.
#include <benchmark/benchmark.h>

#include "policy/document.hpp"
#include "policy/unite/unite.hpp"

namespace {

using namespace shamon;
using SharedPolicy = std::shared_ptr<PolicyBuild const>;

SharedPolicy build(std::string const& name, std::string const& text) {
  auto built = build_policy(name, text);
  if (!built) return nullptr;
  return std::make_shared<PolicyBuild const>(std::move(*built));
}

/// A coalition with two labels, what passes between them, what must not, and images.
std::string coalition_text(std::string const& name) {
  return "coalition " + name +
         " revision 3\n"
         "type work_t result_t\n"
         "label work { share work_t  secrecy open  integrity low }\n"
         "label result { share result_t  secrecy internal }\n"
         "allow work -> result udp/9000\n"
         "member host when platform in {debian12-kvm} and attested within 60s\n"
         "member vm work when image in {client}\n"
         "member vm result when image in {server}\n"
         "goal result never reaches work\n"
         "goal internet never reaches result\n";
}

/// A machine that takes part in all of them and knows one label of each tenth by its own name.
std::string machine_text(std::size_t coalitions) {
  std::string text = "coalition machine revision 1\ntype own_t\n";
  std::string maps;
  for (std::size_t i = 0; i < coalitions; i += 10) {
    std::string const label = "tenant" + std::to_string(i);
    text += "label " + label + " { share own_t" + std::to_string(i) + " }\ntype own_t" +
            std::to_string(i) + "\n";
    maps += "map c" + std::to_string(i) + " { work = " + label + " }\n";
  }
  return text + maps;
}

std::vector<SharedPolicy> policies(std::size_t count) {
  std::vector<SharedPolicy> out{build("machine.policy", machine_text(count))};
  for (std::size_t i = 0; i < count; ++i) {
    std::string const name = "c" + std::to_string(i);
    out.push_back(build(name + ".policy", coalition_text(name)));
  }
  return out;
}

void unite_coalitions(benchmark::State& state) {
  auto const given = policies(static_cast<std::size_t>(state.range(0)));
  std::size_t labels = 0;
  for (auto _ : state) {
    UnionResult const result = unite(given);
    if (!result.united) return state.SkipWithError("these policies must unite");
    labels = result.united->build->compiled.label_count();
  }
  state.counters["labels"] = static_cast<double>(labels);
}
BENCHMARK(unite_coalitions)->Arg(2)->Arg(20)->Arg(200)->Unit(benchmark::kMillisecond);

/// The same with parsing every text.
void build_and_unite_coalitions(benchmark::State& state) {
  auto const count = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    UnionResult const result = unite(policies(count));
    if (!result.united) return state.SkipWithError("these policies must unite");
  }
}
BENCHMARK(build_and_unite_coalitions)->Arg(200)->Unit(benchmark::kMillisecond);

/// The largest policy there may be, with a small one.
void unite_large_policy(benchmark::State& state) {
  std::string text = "coalition large revision 1\n";
  for (int i = 0; i < 500; ++i) {
    std::string const n = std::to_string(i);
    text += "type t" + n + "\nlabel l" + n + " { share t" + n + " }\n";
    if (i > 0) text += "allow l" + std::to_string(i - 1) + " -> l" + n + " udp/9000\n";
  }
  std::vector<SharedPolicy> const given{build("large", text), build("c", coalition_text("c"))};
  for (auto _ : state) {
    if (!unite(given).united) return state.SkipWithError("these policies must unite");
  }
}
BENCHMARK(unite_large_policy)->Unit(benchmark::kMillisecond);

}  // namespace
