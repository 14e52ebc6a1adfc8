// Any line is classified, without looking outside it.
#include <cstdint>

#include "vm/qemu/qmp.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const line(reinterpret_cast<char const*>(data), size);
  auto const kind = shamon::classify_qmp_line(line);
  return kind != shamon::QmpLine::unknown && size == 0 ? 1 : 0;
}
