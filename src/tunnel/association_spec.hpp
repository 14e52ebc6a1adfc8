// What an SA pair is made of, as the host monitor describes it.
#pragma once

#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "base/secret.hpp"
#include "crypto/aead_algorithm.hpp"

namespace shamon {

/// Keys of one SA pair, in the order of this end: each the cipher's key ‖ salt (RFC 4106 §8.1, RFC
/// 7634 §2), then zeros.
struct AssociationKeys {
  Secret<kAeadMaterialBytesMax> in;
  Secret<kAeadMaterialBytesMax> out;
};

struct AssociationSpec {
  Endpoint peer;        ///< underlay
  Spi spi_in, spi_out;  ///< of lane 0; lane n has n more
  /// SAs each way, one for each worker of the end that has more of them (RFC 9611). More than one:
  /// the SPIs are multiples of kLanesMax.
  unsigned lanes = 1;
  bool extended_sequence = false;  ///< ESN (RFC 4303 §2.2.1)
  HostName peer_name;
  LabelName label;
  Revision revision;
  AeadAlgorithm algorithm = AeadAlgorithm::encr_aes_gcm_16_256;
  bool replaces = false;
  std::uint64_t bytes_max = 0;
  std::uint64_t seconds_max = 0;
  bool peer_member = false;
  bool peer_attested = false;
};

}  // namespace shamon
