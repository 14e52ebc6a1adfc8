#include "crypto/hash.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/limits.hpp"

namespace shamon {
namespace {

Bytes hex(std::string_view text) {
  return *from_hex(text);
}

struct HashRow {
  HashAlgorithm algorithm;
  char const* name;
  std::size_t size;
  char const* abc;  ///< FIPS 180-4 example "abc"
};
constexpr HashRow kHashRows[] = {
    {HashAlgorithm::sha1, "sha1", 20, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {HashAlgorithm::sha256, "sha256", 32,
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {HashAlgorithm::sha384, "sha384", 48,
     "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
     "8086072ba1e7cc2358baeca134c825a7"},
    {HashAlgorithm::sha512, "sha512", 64,
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
};

TEST(Hash, gives_the_published_digest_of_abc_whole_in_pairs_and_in_pieces) {
  for (HashRow const& row : kHashRows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(to_string(row.algorithm), row.name);
    EXPECT_EQ(parse_hash_algorithm(row.name), row.algorithm);
    EXPECT_EQ(digest_size(row.algorithm), row.size);
    EXPECT_EQ(hash(row.algorithm, as_bytes("abc")).hex(), row.abc);
    EXPECT_EQ(hash_pair(row.algorithm, as_bytes("a"), as_bytes("bc")).hex(), row.abc);
    EXPECT_EQ(hash_pair(row.algorithm, {}, as_bytes("abc")).hex(), row.abc);
    Hasher hasher(row.algorithm);
    EXPECT_EQ(hasher.update(as_bytes("ab")).update({}).update(as_bytes("c")).finish().hex(),
              row.abc);
  }
  EXPECT_EQ(parse_hash_algorithm("SHA256").error().code, Errc::unsupported);
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Hash, a_file_hashes_like_its_content_and_a_missing_one_is_an_error) {
  std::string const path = testing::TempDir() + "shamon_hash_test_file";
  Bytes const content(200'001, 0x5a);
  ASSERT_TRUE(write_file_atomically(path, content));
  EXPECT_EQ(hash_file(HashAlgorithm::sha256, path), sha256(content));
  ::unlink(path.c_str());
  EXPECT_EQ(hash_file(HashAlgorithm::sha256, path).error().code, Errc::system);
}

TEST(Digest, takes_only_the_algorithms_size_and_compares_algorithm_and_every_byte) {
  EXPECT_FALSE(Digest::from_bytes(HashAlgorithm::sha256, Bytes(31)));
  EXPECT_FALSE(Digest::from_bytes(HashAlgorithm::sha256, Bytes(33)));
  EXPECT_EQ(Digest::from_bytes(HashAlgorithm::sha256, Bytes(32)),
            Digest::zero(HashAlgorithm::sha256));
  EXPECT_EQ(Digest::ones(HashAlgorithm::sha1).hex(), std::string(40, 'f'));
  EXPECT_FALSE(Digest::zero(HashAlgorithm::sha256) == Digest::zero(HashAlgorithm::sha384));
  Digest const zero = Digest::zero(HashAlgorithm::sha512);
  for (std::size_t i = 0; i < 64; ++i) {
    Bytes bytes(64);
    bytes[i] = 1;
    Digest const other = *Digest::from_bytes(HashAlgorithm::sha512, bytes);
    EXPECT_FALSE(other == zero) << i;
    EXPECT_TRUE(zero < other && !(other < zero)) << i;
  }
}

struct HmacRow {
  char const* name;  ///< RFC 4231 test case
  Bytes key, data;
  HashAlgorithm algorithm;
  char const* expected;
};

TEST(Hmac, matches_rfc_4231) {
  std::string const long_text = "Test Using Larger Than Block-Size Key - Hash Key First";
  HmacRow const rows[] = {
      {"1", Bytes(20, 0x0b), to_bytes("Hi There"), HashAlgorithm::sha256,
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"1/384", Bytes(20, 0x0b), to_bytes("Hi There"), HashAlgorithm::sha384,
       "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
       "faea9ea9076ede7f4af152e8b2fa9cb6"},
      {"2", to_bytes("Jefe"), to_bytes("what do ya want for nothing?"), HashAlgorithm::sha256,
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {"3", Bytes(20, 0xaa), Bytes(50, 0xdd), HashAlgorithm::sha256,
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {"6", Bytes(131, 0xaa), to_bytes(long_text), HashAlgorithm::sha256,
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"6/512", Bytes(131, 0xaa), to_bytes(long_text), HashAlgorithm::sha512,
       "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
       "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
  };
  for (HmacRow const& row : rows) {
    EXPECT_EQ(hmac(row.algorithm, row.key, row.data).hex(), row.expected) << row.name;
  }
}

TEST(Hkdf, matches_rfc_5869_and_refuses_one_byte_too_many) {
  struct Row {
    char const *key, *salt, *info, *expected;
  };
  Row const rows[] = {
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
       "f0f1f2f3f4f5f6f7f8f9",
       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
  };
  for (Row const& row : rows) {
    Bytes out(42);
    ASSERT_TRUE(hkdf_sha256(hex(row.key), hex(row.salt), hex(row.info), out));
    EXPECT_EQ(to_hex(out), row.expected);
  }
  Bytes most(kHkdfSha256BytesMax);
  EXPECT_TRUE(hkdf_sha256(Bytes(32), {}, {}, most));
  Bytes more(kHkdfSha256BytesMax + 1);
  EXPECT_EQ(hkdf_sha256(Bytes(32), {}, {}, more).error().code, Errc::too_large);
}

TEST(Random, fills_every_size_and_does_not_repeat) {
  EXPECT_TRUE(random_bytes(0).empty());
  EXPECT_NE(random_bytes(32), random_bytes(32));
  // More than the 256 bytes getrandom(2) promises in one piece; a tail of zeros would show.
  Bytes const many = random_bytes(100'000);
  EXPECT_NE(Bytes(many.end() - 32, many.end()), Bytes(32));
}

}  // namespace
}  // namespace shamon
