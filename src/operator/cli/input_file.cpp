#include "operator/cli/input_file.hpp"

#include <unistd.h>

#include "base/file.hpp"

namespace shamon {

Result<Bytes> read_input_file(std::string const& path, std::size_t bytes_max) {
  if (::access(path.c_str(), F_OK) != 0) return fail(Errc::not_found, "no file " + path);
  return read_file(path, bytes_max);
}

}  // namespace shamon
