// What the project answers: master page, scheduler, input files and uploads, as a stock BOINC 7
// client asks for them (BOINC wiki: RpcProtocol, FileUpload). Pure: request in, response out.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "http_request.hpp"
#include "job_board.hpp"

namespace boinc_example {

struct ProjectOptions {
  std::string url;            ///< master URL with a slash at its end
  std::string authenticator;  ///< the account's key; requests with another one are refused
};

class Project {
 public:
  /// `log` gets one line for each job sent or returned.
  using Log = std::function<void(std::string const& line)>;
  Project(ProjectOptions options, Log log);

  /// The whole HTTP response to one request of `client` (its address, for the log).
  /// `now_s` is civil time in seconds: deadlines are counted from it.
  std::string answer(HttpRequest const& request, std::string const& client, std::int64_t now_s);

 private:
  std::string schedule(std::string_view body, std::string const& client, std::int64_t now_s);
  std::string take_reports(std::string_view body, std::string const& client);
  std::string hand_out(std::string_view body, std::string const& client, std::int64_t now_s);
  std::string receive_file(std::string_view body);

  ProjectOptions options_;
  Log log_;
  JobBoard board_;
};

/// The text of the first <tag>…</tag>, trimmed; empty if there is none. BOINC's requests are flat
/// XML without attributes in the elements we read.
std::string_view element(std::string_view xml, std::string_view tag);
/// Takes the next <tag>…</tag> from the front of `xml`; false if there is none.
bool next_element(std::string_view& xml, std::string_view tag, std::string_view& content);

}  // namespace boinc_example
