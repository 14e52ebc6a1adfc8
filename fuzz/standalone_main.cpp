// Runs a fuzz target without libFuzzer: every corpus file, then bounded random mutations of each.
// usage: TARGET [-runs=N] [-seed=S] FILE_OR_FOLDER…
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

std::vector<Input> load(std::vector<std::string> const& paths) {
  std::vector<Input> inputs;
  auto add = [&](std::filesystem::path const& path) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  };
  for (auto const& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      add(path);
      continue;
    }
    for (auto const& entry : std::filesystem::directory_iterator(path)) {
      if (entry.is_regular_file()) add(entry.path());
    }
  }
  return inputs;
}

void mutate(Input& input, std::mt19937_64& random) {
  for (std::uint64_t steps = 1 + random() % 8; steps > 0; --steps) {
    std::size_t const at = input.empty() ? 0 : random() % input.size();
    switch (random() % 4) {
      case 0:
        if (!input.empty()) input[at] = static_cast<std::uint8_t>(random());
        break;
      case 1:
        if (!input.empty()) input[at] ^= static_cast<std::uint8_t>(1u << random() % 8);
        break;
      case 2: input.resize(at); break;
      case 3:
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(at),
                     static_cast<std::uint8_t>(random()));
        break;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t runs = 2000;
  std::uint64_t seed = 1;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    std::string const argument = argv[i];
    if (argument.rfind("-runs=", 0) == 0) {
      runs = std::strtoull(argument.c_str() + 6, nullptr, 10);
    } else if (argument.rfind("-seed=", 0) == 0) {
      seed = std::strtoull(argument.c_str() + 6, nullptr, 10);
    } else if (argument.rfind("-", 0) != 0) {
      paths.push_back(argument);
    }
  }
  std::vector<Input> inputs = load(paths);
  inputs.emplace_back();
  for (auto const& input : inputs) LLVMFuzzerTestOneInput(input.data(), input.size());
  std::mt19937_64 random(seed);
  for (std::uint64_t i = 0; i < runs; ++i) {
    Input input = inputs[random() % inputs.size()];
    mutate(input, random);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu corpus inputs, %llu mutations, seed %llu: no crash\n", inputs.size() - 1,
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(seed));
  return 0;
}
