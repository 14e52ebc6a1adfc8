#include "coalition/messages/channel.hpp"

#include "coalition/codec_impl.hpp"

namespace shamon {

SHAMON_DEFINE_CODEC(ShareRequest);
SHAMON_DEFINE_CODEC(ChannelRow);
SHAMON_DEFINE_CODEC(ChannelList);

}  // namespace shamon
