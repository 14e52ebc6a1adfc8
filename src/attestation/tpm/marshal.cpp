#include "attestation/tpm/marshal.hpp"

namespace shamon {

tl::unexpected<Error> fail_not_well_formed(std::string_view what, std::size_t offset) {
  return fail_at(Errc::malformed, offset, std::string(what) + " is not well formed");
}

}  // namespace shamon
