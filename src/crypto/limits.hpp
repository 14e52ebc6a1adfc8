// Every bound of crypto/.
#pragma once

#include <cstddef>

namespace shamon {

inline constexpr std::size_t kPemBytesMax = 4u << 20;           ///< a bundle of a few hundred roots
inline constexpr std::size_t kCertificateBytesMax = 64u << 10;  ///< DER of one certificate
inline constexpr std::size_t kPublicKeyBytesMax = 8u << 10;     ///< DER of one SubjectPublicKeyInfo
inline constexpr std::size_t kBundleCertificatesMax = 1024;
inline constexpr std::size_t kChainCertificatesMax = 16;  ///< intermediates offered for one leaf
inline constexpr unsigned kRsaBitsMin = 2048;  ///< below: 80 bit security or less (SP 800-57)
inline constexpr unsigned kRsaBitsMax = 8192;  ///< above: verification is a way to burn our time
inline constexpr std::size_t kCommonNameBytesMax = 64;        ///< RFC 5280 ub-common-name
inline constexpr std::size_t kHkdfSha256BytesMax = 255 * 32;  ///< RFC 5869 §2.3
inline constexpr std::size_t kTlsPendingBytesMax = 16u
                                                   << 20;  ///< text sent before the handshake ended
inline constexpr std::size_t kExporterBytesMax = 4096;

}  // namespace shamon
