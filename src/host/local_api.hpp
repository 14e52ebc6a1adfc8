// The host monitor's API for operators on its own machine: HTTP over two UNIX sockets. shamond.sock
// answers anybody who may open it and changes nothing; shamond-admin.sock answers root and the
// daemon's own user.
#pragma once

#include <functional>

#include "base/channel_id.hpp"
#include "coalition/messages/channel.hpp"
#include "coalition/messages/operator.hpp"
#include "host/journal.hpp"
#include "net/http.hpp"

namespace shamon {

/// What the API asks the monitor; all run on the loop.
struct LocalApiSource {
  std::function<HostStatus()> status;
  std::function<Explanation(std::string const& from, std::string const& to,
                            std::string const& service)>
      explain_flow;
  std::function<Explanation(std::string const& owner, std::string const& user)> explain_share;
  std::function<ChannelList()> channels;
  std::function<void(ShareRequest const&, std::function<void(Result<ChannelRow>)> done)>
      open_channel;
  std::function<Status(ChannelId)> close_channel;
  std::function<Status(VmName const&, std::string const& action)>
      vm_action;  ///< suspend resume stop
};

class LocalApi {
 public:
  LocalApi(EventLoop& loop, Journal& journal, LocalApiSource source);
  Status listen(std::string const& socket_folder);

 private:
  void add_reading_routes(HttpServer& server);
  void add_channel_routes();

  Journal& journal_;
  LocalApiSource source_;
  HttpServer reading_;
  HttpServer admin_;
};

}  // namespace shamon
