// The low-level SHA functions are used on purpose: an EVP digest costs a fetch and an allocation,
// which is more than hashing the 64 bytes of a PCR extend, and log replay does millions of those.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/fd.hpp"
#include "base/secret.hpp"
#include "crypto/limits.hpp"

namespace shamon {
namespace {

/// The state of any of the four algorithms; lives on the stack.
struct Context {
  HashAlgorithm algorithm;
  union {
    SHA_CTX sha1;
    SHA256_CTX sha256;
    SHA512_CTX sha512;
  };

  explicit Context(HashAlgorithm which) noexcept : algorithm(which) {
    switch (algorithm) {
      case HashAlgorithm::sha1: SHA1_Init(&sha1); break;
      case HashAlgorithm::sha256: SHA256_Init(&sha256); break;
      case HashAlgorithm::sha384: SHA384_Init(&sha512); break;
      case HashAlgorithm::sha512: SHA512_Init(&sha512); break;
    }
  }
  void update(ByteView data) noexcept {
    if (data.empty()) return;
    switch (algorithm) {
      case HashAlgorithm::sha1: SHA1_Update(&sha1, data.data(), data.size()); break;
      case HashAlgorithm::sha256: SHA256_Update(&sha256, data.data(), data.size()); break;
      case HashAlgorithm::sha384: SHA384_Update(&sha512, data.data(), data.size()); break;
      case HashAlgorithm::sha512: SHA512_Update(&sha512, data.data(), data.size()); break;
    }
  }
  void finish(std::uint8_t* out) noexcept {
    switch (algorithm) {
      case HashAlgorithm::sha1: SHA1_Final(out, &sha1); break;
      case HashAlgorithm::sha256: SHA256_Final(out, &sha256); break;
      case HashAlgorithm::sha384: SHA384_Final(out, &sha512); break;
      case HashAlgorithm::sha512: SHA512_Final(out, &sha512); break;
    }
  }
};

std::size_t block_size(HashAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case HashAlgorithm::sha1:
    case HashAlgorithm::sha256: return 64;
    case HashAlgorithm::sha384:
    case HashAlgorithm::sha512: return 128;
  }
  return 0;
}

Digest finish_digest(Context& context) noexcept {
  std::array<std::uint8_t, 64> out;
  context.finish(out.data());
  return *Digest::from_bytes(context.algorithm, {out.data(), digest_size(context.algorithm)});
}

}  // namespace

std::string_view to_string(HashAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case HashAlgorithm::sha1: return "sha1";
    case HashAlgorithm::sha256: return "sha256";
    case HashAlgorithm::sha384: return "sha384";
    case HashAlgorithm::sha512: return "sha512";
  }
  return "unknown";
}

Result<HashAlgorithm> parse_hash_algorithm(std::string_view name) {
  for (HashAlgorithm algorithm :
       {HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha384, HashAlgorithm::sha512}) {
    if (name == to_string(algorithm)) return algorithm;
  }
  return fail(Errc::unsupported, "hash algorithm \"" + std::string(name) + "\"");
}

std::size_t digest_size(HashAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case HashAlgorithm::sha1: return 20;
    case HashAlgorithm::sha256: return 32;
    case HashAlgorithm::sha384: return 48;
    case HashAlgorithm::sha512: return 64;
  }
  return 0;
}

Result<Digest> Digest::from_bytes(HashAlgorithm algorithm, ByteView bytes) {
  if (bytes.size() != digest_size(algorithm)) {
    return fail(Errc::malformed, std::string(to_string(algorithm)) + " digest of " +
                                     std::to_string(bytes.size()) + " bytes");
  }
  Digest digest;
  digest.algorithm_ = algorithm;
  std::copy(bytes.begin(), bytes.end(), digest.bytes_.begin());
  return digest;
}

Digest Digest::zero(HashAlgorithm algorithm) noexcept {
  Digest digest;
  digest.algorithm_ = algorithm;
  return digest;
}

Digest Digest::ones(HashAlgorithm algorithm) noexcept {
  Digest digest = zero(algorithm);
  std::fill_n(digest.bytes_.begin(), digest_size(algorithm), std::uint8_t{0xff});
  return digest;
}

bool operator==(Digest const& a, Digest const& b) noexcept {
  return a.algorithm_ == b.algorithm_ &&
         CRYPTO_memcmp(a.bytes_.data(), b.bytes_.data(), digest_size(a.algorithm_)) == 0;
}

bool operator<(Digest const& a, Digest const& b) noexcept {
  if (a.algorithm_ != b.algorithm_) return a.algorithm_ < b.algorithm_;
  return std::memcmp(a.bytes_.data(), b.bytes_.data(), digest_size(a.algorithm_)) < 0;
}

Digest hash(HashAlgorithm algorithm, ByteView data) noexcept {
  Context context(algorithm);
  context.update(data);
  return finish_digest(context);
}

Digest hash_pair(HashAlgorithm algorithm, ByteView a, ByteView b) noexcept {
  Context context(algorithm);
  context.update(a);
  context.update(b);
  return finish_digest(context);
}

Result<Digest> hash_file(HashAlgorithm algorithm, std::string const& path) {
  UniqueFd const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("open " + path);
  Context context(algorithm);
  Bytes buffer(64u << 10);
  for (;;) {
    ssize_t const size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno("read " + path);
    if (size == 0) return finish_digest(context);
    context.update({buffer.data(), static_cast<std::size_t>(size)});
  }
}

Digest hmac(HashAlgorithm algorithm, ByteView key, ByteView data) noexcept {
  std::array<std::uint8_t, 128> pad{};
  std::size_t const block = block_size(algorithm);
  if (key.size() > block) {
    Context shorten(algorithm);
    shorten.update(key);
    shorten.finish(pad.data());
  } else {
    std::copy(key.begin(), key.end(), pad.begin());
  }
  for (auto& byte : pad) byte ^= 0x36;
  Context inner(algorithm);
  inner.update({pad.data(), block});
  inner.update(data);
  std::array<std::uint8_t, 64> digest;
  inner.finish(digest.data());

  for (auto& byte : pad) byte ^= 0x36 ^ 0x5c;
  Context outer(algorithm);
  outer.update({pad.data(), block});
  outer.update({digest.data(), digest_size(algorithm)});
  Digest const result = finish_digest(outer);
  wipe(pad);
  OPENSSL_cleanse(&inner, sizeof inner);
  OPENSSL_cleanse(&outer, sizeof outer);
  return result;
}

Status hkdf_sha256(ByteView key, ByteView salt, ByteView info, std::span<std::uint8_t> out) {
  if (out.size() > kHkdfSha256BytesMax) {
    return fail(Errc::too_large, "HKDF output of " + std::to_string(out.size()) + " bytes");
  }
  std::array<std::uint8_t, 32> const no_salt{};
  Digest prk = hmac(HashAlgorithm::sha256, salt.empty() ? ByteView(no_salt) : salt, key);
  Digest block;
  Bytes input;
  input.reserve(32 + info.size() + 1);
  std::uint8_t counter = 0;
  for (std::size_t done = 0; done < out.size();) {
    input.clear();
    if (counter != 0) append(input, block.bytes());
    append(input, info);
    input.push_back(++counter);
    block = hmac(HashAlgorithm::sha256, prk.bytes(), input);
    std::size_t const size = std::min<std::size_t>(32, out.size() - done);
    std::copy_n(block.bytes().begin(), size, out.begin() + static_cast<std::ptrdiff_t>(done));
    done += size;
  }
  wipe(input);
  OPENSSL_cleanse(&prk, sizeof prk);
  OPENSSL_cleanse(&block, sizeof block);
  return {};
}

struct Hasher::State {
  Context context;
};

Hasher::Hasher(HashAlgorithm algorithm) : state_(new State{Context(algorithm)}) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

Hasher& Hasher::update(ByteView data) {
  state_->context.update(data);
  return *this;
}

Digest Hasher::finish() {
  return finish_digest(state_->context);
}

void fill_random(std::span<std::uint8_t> out) {
  // getrandom(2) blocks until the kernel's pool is initialised and then never fails, but for
  // interruption of large requests by a signal.
  while (!out.empty()) {
    ssize_t const size = ::getrandom(out.data(), out.size(), 0);
    if (size < 0) {
      SHAMON_ASSERT(errno == EINTR);
      continue;
    }
    out = out.subspan(static_cast<std::size_t>(size));
  }
}

Bytes random_bytes(std::size_t size) {
  Bytes bytes(size);
  fill_random(bytes);
  return bytes;
}

}  // namespace shamon
