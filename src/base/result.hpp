// A result is a value or an error that says what, where and why. Core code never throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace shamon {

/// Why an operation was refused. Closed: callers switch over it without a default.
enum class Errc : std::uint8_t {
  malformed,    ///< input breaks its format
  truncated,    ///< input ends too early
  too_large,    ///< a named limit is exceeded
  unsupported,  ///< well formed, but not something we implement
  invalid,      ///< a value is outside what the operation accepts
  not_found,    ///< the named thing does not exist
  conflict,     ///< the thing exists with another meaning
  denied,       ///< policy or permission says no
  untrusted,    ///< attestation or a signature did not hold
  stale,        ///< too old: nonce, revision, lease
  unreachable,  ///< peer or service not there
  timeout,      ///< no answer in time
  system,       ///< an operating system call failed
  crypto,       ///< the crypto library failed
  tpm,          ///< the TPM failed
  internal,     ///< our own fault
};
std::string_view to_string(Errc code) noexcept;

struct Error {
  Errc code = Errc::internal;
  std::string message;
  /// Position in the input, in bytes, where the input is what is wrong.
  std::optional<std::uint64_t> offset{};

  /// "malformed at offset 12: …" — one line, for people.
  std::string describe() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;

inline tl::unexpected<Error> fail(Errc code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message), {}});
}
inline tl::unexpected<Error> fail_at(Errc code, std::uint64_t offset, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message), offset});
}
/// Passes an error on unchanged: `if (!r) return pass(r);`
template <class T>
tl::unexpected<Error> pass(tl::expected<T, Error> const& result) {
  return tl::unexpected<Error>(result.error());
}
/// Passes an error on with what we were doing in front of its message.
template <class T>
tl::unexpected<Error> pass(tl::expected<T, Error> const& result, std::string_view doing) {
  Error error = result.error();
  error.message = std::string(doing) + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}
/// `errno` as an error: "open /x: No such file or directory".
Error system_error(std::string_view doing, int error_number);
tl::unexpected<Error> fail_errno(std::string_view doing);

}  // namespace shamon
