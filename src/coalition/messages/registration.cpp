#include "coalition/messages/registration.hpp"

#include "coalition/codec_impl.hpp"

namespace shamon {

SHAMON_DEFINE_CODEC(RegisterRequest);
SHAMON_DEFINE_CODEC(RegisterChallenge);
SHAMON_DEFINE_CODEC(ActivateRequest);
SHAMON_DEFINE_CODEC(Registered);

}  // namespace shamon
