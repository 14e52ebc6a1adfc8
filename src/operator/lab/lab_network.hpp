// The laboratory's underlay: a namespace per machine, joined by a bridge in one more.
#pragma once

#include <map>
#include <vector>

#include "base/fd.hpp"
#include "operator/lab/lab_spec.hpp"
#include "operator/lab/lab_state.hpp"

namespace shamon {

/// The queues of each domain's TAP, by the VM's name.
using LabTaps = std::map<std::string, std::vector<UniqueFd>>;

std::string namespace_of(LabSpec const& lab,
                         std::string const& machine);  ///< "shamon-boinc-shype1"

/// Makes the fabric and the namespaces of the authority and every machine; each gets `eth0` with
/// its underlay address.
Status build_network(LabSpec const& lab, LabState& state);
/// A domain VM: namespace with one TAP `eth0`; returns a descriptor for each of its queues, as many
/// as a gate here has workers (IFF_TAP|IFF_NO_PI|IFF_VNET_HDR|IFF_MULTI_QUEUE).
Result<std::vector<UniqueFd>> build_domain(LabSpec const& lab, LabVm const& vm, LabState& state);

}  // namespace shamon
