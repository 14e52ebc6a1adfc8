#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "limits.hpp"
#include "scheduler.hpp"

namespace boinc_example {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct RequestCase {
  char const* what;
  std::string text;
  shamon::Errc expected;
};

TEST(HttpRequest, RefusesWhatIsNotNeeded) {
  std::string const long_head =
      "GET / HTTP/1.1\r\nX: " + std::string(kHttpHeadBytesMax, 'a') + "\r\n\r\n";
  auto const long_body =
      "POST / HTTP/1.1\r\nContent-Length: " + std::to_string(kHttpBodyBytesMax + 1) + "\r\n\r\n";
  RequestCase const cases[] = {
      {"no version", "GET /\r\n\r\n", shamon::Errc::malformed},
      {"empty line", "\r\n\r\n", shamon::Errc::malformed},
      {"other method", "PUT / HTTP/1.1\r\n\r\n", shamon::Errc::unsupported},
      {"other version", "GET / HTTP/2\r\n\r\n", shamon::Errc::unsupported},
      {"relative target", "GET x HTTP/1.1\r\n\r\n", shamon::Errc::malformed},
      {"control character", "GET /\x01 HTTP/1.1\r\n\r\n", shamon::Errc::malformed},
      {"header without name", "GET / HTTP/1.1\r\n: x\r\n\r\n", shamon::Errc::malformed},
      {"header without colon", "GET / HTTP/1.1\r\nabc\r\n\r\n", shamon::Errc::malformed},
      {"length not a number", "POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
       shamon::Errc::malformed},
      {"length twice", "POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
       shamon::Errc::malformed},
      {"chunked", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
       shamon::Errc::unsupported},
      {"head too long", long_head, shamon::Errc::too_large},
      {"body one byte too long", long_body, shamon::Errc::too_large},
  };
  for (auto const& test : cases) {
    auto const request = read_http_request(test.text);
    ASSERT_FALSE(request) << test.what;
    EXPECT_EQ(request.error().code, test.expected) << test.what;
  }
}

TEST(HttpRequest, IsReadOnlyWhenWhole) {
  std::string const text =
      "POST /upload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd";
  for (std::size_t size = 0; size < text.size(); ++size) {
    auto const request = read_http_request(std::string_view(text).substr(0, size));
    ASSERT_TRUE(request) << size;
    EXPECT_FALSE(request->has_value()) << size;
  }
  EXPECT_TRUE(expects_continue(text));
  auto const request = read_http_request(text + "next");
  ASSERT_TRUE(request && *request);
  EXPECT_EQ((*request)->path, "/upload");
  EXPECT_EQ((*request)->body, "abcd");
  EXPECT_EQ((*request)->bytes_used, text.size());
}

TEST(JobBoard, CountsPrimesLikeTheTextbooks) {
  EXPECT_EQ(count_primes_by_sieve({0, 0}), 0u);
  EXPECT_EQ(count_primes_by_sieve({0, 3}), 1u);
  EXPECT_EQ(count_primes_by_sieve({0, 10'000'000}), 664'579u);
  EXPECT_EQ(count_primes_by_sieve({9, 10}), 0u);
  EXPECT_EQ(count_primes_by_sieve({11, 12}), 1u);
}

TEST(JobBoard, NamesOnlyItsOwnFiles) {
  EXPECT_EQ(job_of_name("job_12_in", "_in"), 12u);
  for (auto const* name : {"job__in", "job_in", "job_1x_in", "job_1_out", "../job_1_in",
                           "job_-1_in", "job_99999999999999999999_in", ""}) {
    EXPECT_EQ(job_of_name(name, "_in"), std::nullopt) << name;
  }
}

class ProjectTest : public ::testing::Test {
 protected:
  std::string post(std::string path, std::string body) {
    return project_.answer({"POST", std::move(path), std::move(body), 0}, "10.0.0.1", 1000);
  }
  std::string schedule(std::string const& body) {
    return post("/scheduler", "<scheduler_request><authenticator>key</authenticator>" + body +
                                  "</scheduler_request>");
  }
  std::string upload(std::string const& name, std::string const& data) {
    return post("/upload", "<data_server_request><file_upload><file_info><name>" + name +
                               "</name></file_info><nbytes>" + std::to_string(data.size()) +
                               "</nbytes><offset>0</offset><data>\n" + data);
  }
  std::vector<std::string> log_;
  Project project_{{"http://h/", "key"}, [this](std::string const& line) { log_.push_back(line); }};
};

TEST_F(ProjectTest, AJobGoesOutAndComesBackCorrect) {
  EXPECT_THAT(project_.answer({"GET", "/", "", 0}, "c", 0),
              HasSubstr("<scheduler>http://h/scheduler<"));
  EXPECT_THAT(schedule("<work_req_seconds>1.5</work_req_seconds>"),
              HasSubstr("<name>job_1</name>"));
  EXPECT_THAT(project_.answer({"GET", "/download/job_1_in", "", 0}, "c", 0),
              HasSubstr("\r\n\r\n10000000 10300000\n"));
  auto const primes = std::to_string(count_primes_by_sieve({10'000'000, 10'300'000}));
  EXPECT_THAT(upload("job_1_out", primes + "\n"), HasSubstr("<status>0</status>"));
  log_.clear();
  EXPECT_THAT(schedule("<result><name>job_1</name></result>"), HasSubstr("<result_ack>"));
  EXPECT_THAT(log_, ElementsAre("job 1 returned: " + primes + " primes, correct"));
  log_.clear();
  schedule("<result><name>job_1</name></result>");
  EXPECT_THAT(log_, ElementsAre(HasSubstr("without a result")));
}

TEST_F(ProjectTest, AWrongResultIsNamedWrong) {
  for (auto const* output : {"1\n", "", "x", "9348x"}) {
    Project project({"http://h/", "key"},
                    [this](std::string const& line) { log_.push_back(line); });
    std::swap(project, project_);
    schedule("<work_req_seconds>1</work_req_seconds>");
    upload("job_1_out", output);
    schedule("<result><name>job_1</name></result>");
    EXPECT_THAT(log_.back(), HasSubstr("WRONG")) << output;
  }
}

TEST_F(ProjectTest, AClientGetsALostJobAgainAndNeverTooMany) {
  auto const first = schedule("<work_req_seconds>1</work_req_seconds>");
  EXPECT_EQ(log_.size(), kJobsInProgressMax);
  auto const again = schedule("<work_req_seconds>1</work_req_seconds>");
  EXPECT_EQ(again, first);
  log_.clear();
  auto const with_two = schedule(
      "<work_req_seconds>1</work_req_seconds><other_results>"
      "<other_result><name>job_1</name></other_result>"
      "<other_result><name>job_2</name></other_result></other_results>");
  EXPECT_EQ(log_.size(), kJobsInProgressMax - 2);
  EXPECT_THAT(with_two, Not(HasSubstr("<name>job_1</name>")));
}

TEST_F(ProjectTest, RefusesStrangersAndBrokenUploads) {
  auto const reply = post("/scheduler",
                          "<authenticator>other</authenticator>"
                          "<work_req_seconds>1</work_req_seconds>");
  EXPECT_THAT(reply, HasSubstr("Invalid or missing account key"));
  EXPECT_THAT(reply, Not(HasSubstr("<workunit>")));
  EXPECT_THAT(upload("job_1_out", "1"), HasSubstr("<status>-1</status>"));  // never handed out
  schedule("<work_req_seconds>1</work_req_seconds>");
  EXPECT_THAT(upload("job_1_out", std::string(kOutputBytesMax, '1')), HasSubstr("<status>0<"));
  EXPECT_THAT(upload("job_1_out", std::string(kOutputBytesMax + 1, '1')),
              HasSubstr("<status>-1</status>"));
  EXPECT_THAT(
      post("/upload", "<name>job_1_out</name><nbytes>9</nbytes><offset>0</offset><data>\n1"),
      HasSubstr("<status>1</status>"));
  EXPECT_THAT(project_.answer({"GET", "/download/../etc/passwd", "", 0}, "c", 0), HasSubstr("404"));
  schedule("<result><name>job_77</name></result>");
  EXPECT_THAT(log_, Not(::testing::Contains(HasSubstr("77"))));
}

}  // namespace
}  // namespace boinc_example
