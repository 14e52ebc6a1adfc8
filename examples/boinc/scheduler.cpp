#include "scheduler.hpp"

#include <charconv>

#include <fmt/format.h>

#include "limits.hpp"

namespace boinc_example {
namespace {

constexpr int kDeadlineS = 3600;
/// Seconds a client must leave between two requests; small, so that the lab is lively.
constexpr int kRequestDelayS = 2;
/// Only an estimate for the client's own scheduling: about two seconds of a 1 Gflop/s machine.
constexpr double kOperationsPerJob = 2e9;

std::string_view trim(std::string_view text) {
  auto const is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::uint64_t> jobs_in_progress(std::string_view body) {
  std::vector<std::uint64_t> jobs;
  std::string_view others = element(body, "other_results");
  std::string_view item;
  while (jobs.size() < kJobsInProgressMax && next_element(others, "other_result", item)) {
    if (auto const job = job_of_name(element(item, "name"), "")) jobs.push_back(*job);
  }
  return jobs;
}

std::string describe_job(Job const& job, std::string const& url, std::int64_t now_s) {
  auto const input = input_of(job);
  std::string xml = fmt::format(
      "<file_info>\n<name>{0}</name>\n<url>{1}download/{0}</url>\n<nbytes>{2}</nbytes>\n"
      "</file_info>\n",
      input_name(job.number), url, input.size());
  xml += fmt::format(
      "<file_info>\n<name>{}</name>\n<generated_locally/>\n"
      "<max_nbytes>{}</max_nbytes>\n<upload_url>{}upload</upload_url>\n</file_info>\n",
      output_name(job.number), kOutputBytesMax, url);
  xml += fmt::format(
      "<workunit>\n<name>{}</name>\n<app_name>primes</app_name>\n"
      "<rsc_fpops_est>{}</rsc_fpops_est>\n<rsc_fpops_bound>{}</rsc_fpops_bound>\n"
      "<rsc_memory_bound>16000000</rsc_memory_bound>\n<rsc_disk_bound>1000000</rsc_disk_bound>\n"
      "<file_ref>\n<file_name>{}</file_name>\n<open_name>in</open_name>\n<copy_file/>\n"
      "</file_ref>\n</workunit>\n",
      job_name(job.number), kOperationsPerJob, kOperationsPerJob * 1000, input_name(job.number));
  xml += fmt::format(
      "<result>\n<name>{0}</name>\n<wu_name>{0}</wu_name>\n<report_deadline>{1}</report_deadline>\n"
      "<file_ref>\n<file_name>{2}</file_name>\n<open_name>out</open_name>\n<copy_file/>\n"
      "</file_ref>\n</result>\n",
      job_name(job.number), now_s + kDeadlineS, output_name(job.number));
  return xml;
}

std::string upload_reply(int status, std::string_view extra) {
  return http_response(
      200, "text/xml",
      fmt::format("<data_server_reply>\n<status>{}</status>\n{}</data_server_reply>\n", status,
                  extra));
}

}  // namespace

std::string_view element(std::string_view xml, std::string_view tag) {
  std::string_view content;
  return next_element(xml, tag, content) ? trim(content) : std::string_view{};
}

bool next_element(std::string_view& xml, std::string_view tag, std::string_view& content) {
  auto const open = fmt::format("<{}>", tag);
  auto const close = fmt::format("</{}>", tag);
  auto const begin = xml.find(open);
  if (begin == std::string_view::npos) return false;
  auto const content_at = begin + open.size();
  auto const end = xml.find(close, content_at);
  if (end == std::string_view::npos) return false;
  content = xml.substr(content_at, end - content_at);
  xml.remove_prefix(end + close.size());
  return true;
}

Project::Project(ProjectOptions options, Log log)
    : options_(std::move(options)), log_(std::move(log)) {}

std::string Project::answer(HttpRequest const& request, std::string const& client,
                            std::int64_t now_s) {
  if (request.method == "POST" && request.path == "/scheduler") {
    return schedule(request.body, client, now_s);
  }
  if (request.method == "POST" && request.path == "/upload") return receive_file(request.body);
  if (request.method == "GET" && request.path.starts_with("/download/")) {
    auto const number = job_of_name(std::string_view(request.path).substr(10), "_in");
    auto const* job = number ? board_.find(*number) : nullptr;
    if (job != nullptr) return http_response(200, "application/octet-stream", input_of(*job));
  }
  if (request.method == "GET" && request.path == "/") {
    // The client looks for the scheduler's address in the master page's text.
    return http_response(200, "text/html",
                         fmt::format("<html><head><title>Primes</title></head><body>\n<!--\n"
                                     "<scheduler>{}scheduler</scheduler>\n-->\n"
                                     "A project that counts primes.\n</body></html>\n",
                                     options_.url));
  }
  return http_response(404, "text/plain", "not found\n");
}

std::string Project::schedule(std::string_view body, std::string const& client,
                              std::int64_t now_s) {
  auto reply = fmt::format(
      "<scheduler_reply>\n<scheduler_version>720</scheduler_version>\n"
      "<master_url>{}</master_url>\n<request_delay>{}</request_delay>\n"
      "<project_name>Primes</project_name>\n",
      options_.url, kRequestDelayS);
  if (element(body, "authenticator") != options_.authenticator) {
    log_(fmt::format("refused {}: unknown account", client));
    reply += "<message priority=\"notice\">Invalid or missing account key</message>\n";
  } else {
    reply +=
        "<userid>1</userid>\n<user_name>coalition</user_name>\n<hostid>1</hostid>\n"
        "<user_total_credit>0</user_total_credit>\n<user_expavg_credit>0</user_expavg_credit>\n";
    reply += take_reports(body, client);
    reply += hand_out(body, client, now_s);
  }
  return http_response(200, "text/xml", reply + "</scheduler_reply>\n");
}

std::string Project::take_reports(std::string_view body, std::string const& client) {
  // What the client still works on is listed further down in elements of the same names.
  auto reports = body.substr(0, body.find("<other_results>"));
  std::string acknowledgements;
  std::string_view item;
  for (std::size_t i = 0; i < kReportsPerRequestMax && next_element(reports, "result", item); ++i) {
    auto const number = job_of_name(element(item, "name"), "");
    if (!number) continue;
    acknowledgements +=
        fmt::format("<result_ack>\n<name>{}</name>\n</result_ack>\n", job_name(*number));
    auto const outcome = board_.report(*number);
    if (outcome) {
      log_(fmt::format("job {} returned: {} primes, {}", *number, outcome->primes,
                       outcome->correct ? "correct" : "WRONG"));
    } else if (outcome.error().code == shamon::Errc::conflict) {
      log_(fmt::format("job {} reported by {} without a result, exit status {}", *number, client,
                       element(item, "exit_status")));
    }
  }
  return acknowledgements;
}

std::string Project::hand_out(std::string_view body, std::string const& client,
                              std::int64_t now_s) {
  auto const wanted = element(body, "work_req_seconds");
  double wanted_s = 0;
  std::from_chars(wanted.data(), wanted.data() + wanted.size(), wanted_s);
  if (!(wanted_s > 0)) return {};
  std::string xml;
  for (auto const* job : board_.assign(client, jobs_in_progress(body))) {
    log_(fmt::format("sent job {} to {}", job->number, client));
    xml += describe_job(*job, options_.url, now_s);
  }
  return xml;
}

std::string Project::receive_file(std::string_view body) {
  if (auto const name = element(body, "get_file_size"); !name.empty()) {
    auto const number = job_of_name(name, "_out");
    auto const* job = number ? board_.find(*number) : nullptr;
    return upload_reply(
        0, fmt::format("<file_size>{}</file_size>\n", job != nullptr ? job->output.size() : 0));
  }
  constexpr std::string_view kData = "<data>\n";
  auto const data_at = body.find(kData);
  auto const number = job_of_name(element(body, "name"), "_out");
  auto const announced = element(body, "nbytes");
  auto const offset = element(body.substr(0, data_at), "offset");
  if (data_at == std::string_view::npos || !number) {
    return upload_reply(-1, "<message>no file in the request</message>\n");
  }
  auto const data = body.substr(data_at + kData.size());
  // Our results are one packet long: a partial upload is not worth supporting.
  if (offset != "0" || announced != fmt::to_string(data.size())) {
    return upload_reply(1, "<message>send the file whole</message>\n");
  }
  auto const stored = board_.upload(*number, data);
  if (!stored) return upload_reply(-1, "<message>refused</message>\n");
  return upload_reply(0, "");
}

}  // namespace boinc_example
