#include "crypto/aes_cfb.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"

namespace shamon {
namespace {

struct Row {
  char const* key;
  char const* cipher;
};

// NIST SP 800-38A §F.3.13 and §F.3.17, the same IV and plain text for both key sizes.
constexpr char kIv[] = "000102030405060708090a0b0c0d0e0f";
constexpr char kPlain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
constexpr Row kRows[] = {
    {"2b7e151628aed2a6abf7158809cf4f3c",
     "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b"},
    {"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b"},
};

TEST(AesCfb, AgreesWithTheNistVectorsBothWays) {
  for (Row const& row : kRows) {
    auto const key = *from_hex(row.key);
    auto const iv = *from_hex(kIv);
    auto const cipher = aes_cfb_encrypt(key, iv, *from_hex(kPlain));
    ASSERT_TRUE(cipher);
    EXPECT_EQ(to_hex(*cipher), row.cipher);
    auto const plain = aes_cfb_decrypt(key, iv, *cipher);
    ASSERT_TRUE(plain);
    EXPECT_EQ(to_hex(*plain), kPlain);
  }
}

TEST(AesCfb, EncryptsTextsThatAreNoMultipleOfTheBlock) {
  Bytes const key(16, 1);
  Bytes const iv(16, 0);
  for (std::size_t size : {0u, 1u, 15u, 17u, 34u}) {
    auto const cipher = aes_cfb_encrypt(key, iv, Bytes(size, 7));
    ASSERT_TRUE(cipher);
    EXPECT_EQ(cipher->size(), size);
    EXPECT_EQ(aes_cfb_decrypt(key, iv, *cipher).value(), Bytes(size, 7));
  }
}

TEST(AesCfb, RefusesKeysAndIvsOfOtherSizes) {
  for (std::size_t size : {0u, 15u, 17u, 24u, 31u, 33u}) {
    EXPECT_FALSE(aes_cfb_encrypt(Bytes(size), Bytes(16), Bytes(4)));
  }
  EXPECT_FALSE(aes_cfb_encrypt(Bytes(16), Bytes(15), Bytes(4)));
  EXPECT_FALSE(aes_cfb_decrypt(Bytes(16), Bytes(17), Bytes(4)));
}

}  // namespace
}  // namespace shamon
