// The laboratory's underlay: a namespace per machine, joined by a bridge in one more.
#pragma once

#include "base/fd.hpp"
#include "operator/lab/lab_spec.hpp"
#include "operator/lab/lab_state.hpp"

namespace shamon {

std::string namespace_of(LabSpec const& lab,
                         std::string const& machine);  ///< "shamon-boinc-shype1"

/// Makes the fabric and the namespaces of the authority and every machine; each gets `eth0` with
/// its underlay address.
Status build_network(LabSpec const& lab, LabState& state);
/// A domain VM: namespace with one TAP `eth0`; returns the TAP's descriptor
/// (IFF_TAP|IFF_NO_PI|IFF_VNET_HDR).
Result<UniqueFd> build_domain(LabSpec const& lab, LabVm const& vm, LabState& state);

}  // namespace shamon
