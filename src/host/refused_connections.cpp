#include "host/refused_connections.hpp"

#include <fmt/format.h>

#include "base/ipv4_text.hpp"

namespace shamon {

RefusedConnections::~RefusedConnections() {
  if (quiet_) loop_.cancel(*quiet_);
  tell();
}

void RefusedConnections::add(Endpoint const& from, Error why) {
  ++untold_;
  last_from_ = from;
  last_why_ = std::move(why);
  if (quiet_) return;
  tell();
  be_quiet();
}

void RefusedConnections::be_quiet() {
  quiet_ = loop_.after(kTellPeriod, [this] {
    quiet_.reset();
    if (tell()) be_quiet();
  });
}

bool RefusedConnections::tell() {
  if (untold_ == 0) return false;
  std::string const text =
      untold_ == 1 ? last_why_.describe()
                   : fmt::format("{} connections, the last one: {}", untold_, last_why_.describe());
  journal_.event("connection_refused", to_string(last_from_.address), "", text);
  untold_ = 0;
  return true;
}

}  // namespace shamon
