#include "coalition/messages/operator.hpp"

#include "coalition/codec_impl.hpp"

namespace shamon {

SHAMON_DEFINE_CODEC(HostRow);
SHAMON_DEFINE_CODEC(HostList);
SHAMON_DEFINE_CODEC(VmList);
SHAMON_DEFINE_CODEC(AuthorityStatus);
SHAMON_DEFINE_CODEC(RevokeRequest);
SHAMON_DEFINE_CODEC(ReferenceValueList);
SHAMON_DEFINE_CODEC(PolicyMessage);
SHAMON_DEFINE_CODEC(EventRow);
SHAMON_DEFINE_CODEC(EventList);
SHAMON_DEFINE_CODEC(AssociationRow);
SHAMON_DEFINE_CODEC(HostStatus);
SHAMON_DEFINE_CODEC(AuditRow);
SHAMON_DEFINE_CODEC(AuditList);
SHAMON_DEFINE_CODEC(Explanation);

}  // namespace shamon
