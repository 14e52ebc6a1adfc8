// T7: from an operator's verdict to the last member that verified and applied it. Real authority
// process, real TLS feeds, real member machines; only their TPMs are software.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "authority/test_daemon.hpp"
#include "authority/test_member.hpp"
#include "base/temporary_folder.hpp"

namespace shamon {
namespace {

struct Arguments {
  std::size_t members = 100;
  std::size_t rounds = 12;
  std::size_t components = 3;
  std::string program;
};

/// What each machine measures: as many components as the bench was asked for.
TestComponents measured(std::size_t count) {
  TestComponents out = good_components();
  while (out.size() < count) {
    std::string const name = "component" + std::to_string(out.size());
    out.emplace_back(name, name);
  }
  return out;
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  auto const rank = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  return values[rank];
}

/// Resident kilobytes of a process; 0 if the kernel does not say.
double resident_kb(pid_t pid) {
  std::string const path = "/proc/" + std::to_string(pid) + "/statm";
  unsigned long pages_all = 0, pages = 0;
  auto const text = read_text_file(path);
  if (!text || std::sscanf(text->c_str(), "%lu %lu", &pages_all, &pages) != 2) return 0;
  return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024;
}

class Bench {
 public:
  explicit Bench(Arguments const& arguments)
      : arguments_(arguments),
        daemon_(arguments.program, folder_.path(), endorser_,
                "challenge_timeout_ms = 20000\nunreachable_after_ms = 60000\n") {
    daemon_.write("values.json", encode_json(ReferenceValueList{values_for(components_)}));
  }

  int run() {
    if (!daemon_.start()) {
      std::fprintf(stderr, "feed_bench: the authority did not start\n%s", daemon_.log().c_str());
      return 1;
    }
    // Each round loses one member, and the last one still has as many as asked for.
    std::size_t const total = arguments_.members + arguments_.rounds - 1;
    // One member first, so that what every authority needs once is not counted for each.
    if (!add_members(1)) return 1;
    double const kb_before = resident_kb(daemon_.pid());
    Instant const began = loop_.now();
    // A cost that grows faster than the number of members shows in the second half.
    std::size_t const second = total / 2;
    if (!add_members(total - second - 1)) return 1;
    double const kb_half = resident_kb(daemon_.pid());
    if (!add_members(second)) return 1;
    double const kb = resident_kb(daemon_.pid());
    double const kb_each = (kb - kb_before) / static_cast<double>(total - 1);
    double const kb_marginal = (kb - kb_half) / static_cast<double>(second);
    std::printf("%zu members joined in %.1f s\n", total - 1,
                static_cast<double>((loop_.now() - began).count()) / 1e9);
    std::printf(
        "authority: %.1f MB resident, %.1f KB for each connected member, %.1f KB for each of the "
        "last %zu\n",
        kb / 1024, kb_each, kb_marginal, second);
    std::printf("%5s %8s %9s %9s %9s\n", "round", "members", "p50 ms", "p99 ms", "max ms");
    std::vector<double> all;
    for (std::size_t i = 0; i < arguments_.rounds; ++i) {
      loop_.run_until([] { return false; }, std::chrono::milliseconds(300));
      auto const delays = revoke(i);
      if (delays.empty()) return 1;
      std::printf("%5zu %8zu %9.2f %9.2f %9.2f\n", i + 1, delays.size(), percentile(delays, 0.5),
                  percentile(delays, 0.99), percentile(delays, 1));
      all.insert(all.end(), delays.begin(), delays.end());
    }
    std::printf("%5s %8zu %9.2f %9.2f %9.2f\n", "all", all.size(), percentile(all, 0.5),
                percentile(all, 0.99), percentile(all, 1));
    std::printf(
        "{\"id\":\"T7\",\"ours\":%.2f,\"unit\":\"ms\",\"members\":%zu,\"p50\":%.2f,\"max\":%.2f,"
        "\"authority_mb\":%.1f,\"kb_per_member\":%.1f,\"kb_marginal\":%.1f,\"peers\":{},\"ratio\":"
        "null}\n",
        percentile(all, 0.99), arguments_.members, percentile(all, 0.5), percentile(all, 1),
        kb / 1024, kb_each, kb_marginal);
    return 0;
  }

 private:
  bool add_members(std::size_t count) {
    Certificate const ca = daemon_.ca();
    std::size_t const end = members_.size() + count;
    for (std::size_t i = members_.size(); i < end; ++i) {
      machines_.push_back(std::make_unique<TestMachine>("m" + std::to_string(i), endorser_,
                                                        folder_.path(), components_));
      members_.push_back(
          std::make_unique<TestMember>(loop_, daemon_.endpoint(), ca, *machines_.back()));
      members_.back()->start();
      // A few at a time: this process is a hundred machines on one core.
      bool const ok = loop_.run_until(
          [&] {
            std::size_t const waiting = static_cast<std::size_t>(std::count_if(
                members_.begin(), members_.end(), [](auto& m) { return !m->following(); }));
            return waiting < 8;
          },
          std::chrono::seconds(60));
      if (!ok) return complain("a member did not join");
    }
    bool const all = loop_.run_until(
        [&] {
          return std::all_of(members_.begin(), members_.end(),
                             [](auto& m) { return m->following(); });
        },
        std::chrono::seconds(60));
    return all || complain("not every member joined");
  }

  /// Revokes machine `index`; the delays of all that follow still.
  std::vector<double> revoke(std::size_t index) {
    Revision const before = members_.back()->member().revision();
    std::vector<double> delays;
    Instant verdict;
    std::size_t const others = members_.size() - index - 1;
    for (std::size_t i = index + 1; i < members_.size(); ++i) {
      members_[i]->on_revision = [&](Revision revision, Instant at) {
        if (revision <= before) return;
        delays.push_back(static_cast<double>((at - verdict).count()) / 1e6);
      };
    }
    HttpClient client(loop_, UnixTarget{daemon_.admin_socket()});
    HttpCall call;
    call.method = "POST";
    call.target = "/v1/hosts/m" + std::to_string(index) + "/revoke";
    call.body = encode_json(RevokeRequest{"bench"});
    int status = 0;
    verdict = loop_.now();  // before it is even sent: the operator's moment
    client.call(call, [&](Result<HttpResponse> answer) { status = answer ? answer->status : -1; });
    bool const ok = loop_.run_until([&] { return status != 0 && delays.size() >= others; },
                                    std::chrono::seconds(20));
    for (std::size_t i = index + 1; i < members_.size(); ++i) members_[i]->on_revision = nullptr;
    members_[index].reset();  // else it would try to join again, beside the next round
    if (ok && status == 200 && delays.size() == others) return delays;
    complain("a revocation did not arrive everywhere");
    return {};
  }

  bool complain(char const* what) {
    std::fprintf(stderr, "feed_bench: %s\n%s", what, daemon_.log().c_str());
    return false;
  }

  Arguments arguments_;
  TestComponents components_ = measured(arguments_.components);
  TemporaryFolder folder_;
  TestEndorser endorser_;
  TestDaemon daemon_;
  EventLoop loop_;
  std::vector<std::unique_ptr<TestMachine>> machines_;
  std::vector<std::unique_ptr<TestMember>> members_;
};

}  // namespace
}  // namespace shamon

int main(int count, char** values) {
  shamon::Arguments arguments;
  for (int i = 1; i + 1 < count; i += 2) {
    std::string const name = values[i];
    if (name == "--members") arguments.members = std::strtoul(values[i + 1], nullptr, 10);
    if (name == "--rounds") arguments.rounds = std::strtoul(values[i + 1], nullptr, 10);
    if (name == "--components") arguments.components = std::strtoul(values[i + 1], nullptr, 10);
    if (name == "--authority") arguments.program = values[i + 1];
  }
  if (arguments.program.empty() || arguments.members < 2 || arguments.rounds == 0) {
    std::fputs(
        "usage: feed_bench --authority PROGRAM [--members N] [--rounds N] [--components N]\n",
        stderr);
    return 2;
  }
  return shamon::Bench(arguments).run();
}
