#include "base/file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace shamon {
namespace {

Status write_all(int fd, ByteView content, std::string const& path) {
  while (!content.empty()) {
    ssize_t const n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write " + path);
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

std::string folder_of(std::string const& path) {
  std::size_t const slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<Bytes> read_file(std::string const& path, std::size_t bytes_max) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path);
  Bytes out;
  std::uint8_t buffer[65536];
  for (;;) {
    ssize_t const n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read " + path);
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > bytes_max) {
      return fail(Errc::too_large,
                  path + " holds more than " + std::to_string(bytes_max) + " bytes");
    }
    append(out, ByteView(buffer, static_cast<std::size_t>(n)));
  }
}

Result<std::string> read_text_file(std::string const& path, std::size_t bytes_max) {
  auto bytes = read_file(path, bytes_max);
  if (!bytes) return pass(bytes);
  return std::string(as_text(*bytes));
}

Status write_file_atomically(std::string const& path, ByteView content, unsigned mode) {
  std::string const temporary = path + ".new." + std::to_string(::getpid());
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) return fail_errno("create " + temporary);
  auto written = write_all(fd.get(), content, temporary);
  if (written && ::fsync(fd.get()) != 0) written = fail_errno("fsync " + temporary);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail_errno("rename " + temporary);
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  UniqueFd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && ::fsync(folder.get()) != 0) return fail_errno("fsync folder of " + path);
  return {};
}

Status append_to_file(std::string const& path, ByteView content, unsigned mode) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode));
  if (!fd) return fail_errno("open " + path);
  return write_all(fd.get(), content, path);
}

}  // namespace shamon
