// Whatever bytes arrive, the project answers or refuses, and reads no further than it was given.
#include <string_view>

#include "scheduler.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace boinc_example;
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  expects_continue(text);
  Project project({"http://127.0.0.1/", "key"}, [](std::string const&) {});
  if (auto const request = read_http_request(text); request && *request) {
    project.answer(**request, "127.0.0.1", 0);
  }
  project.answer({"POST", "/scheduler", std::string(text), 0}, "127.0.0.1", 0);
  project.answer({"POST", "/upload", std::string(text), 0}, "127.0.0.1", 0);
  return 0;
}
