// Two machines with a gate and a green domain each, for the throughput benches: prints the names of
// the two domains' namespaces and addresses, then "ready", and takes all down when its input ends.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include "netns/gate_lab.hpp"

namespace {

int drive(int underlay_mtu, int domain_mtu) {
  using namespace shamon;
  netns::GateLab lab(underlay_mtu);
  lab.up(netns::kPolicyText);
  Status done = lab.domain(*lab.a, 1, "client", "green", "10.77.0.1", domain_mtu);
  if (done) done = lab.domain(*lab.b, 1, "server", "green", "10.77.0.2", domain_mtu);
  if (done) done = lab.domain(*lab.a, 2, "beside", "green", "10.77.0.3", domain_mtu);
  if (done) done = lab.open_pair(1, "green");
  if (!done) {
    std::fprintf(stderr, "gate_driver: %s\n", done.error().describe().c_str());
    return 1;
  }
  std::printf("client %s 10.77.0.1\nserver %s 10.77.0.2\nbeside %s 10.77.0.3\n",
              lab.domain_ns("client").c_str(), lab.domain_ns("server").c_str(),
              lab.domain_ns("beside").c_str());
  std::printf("gate %d %d\nready\n", lab.a->gate_pid(), lab.b->gate_pid());
  std::fflush(stdout);
  char byte = 0;
  while (::read(0, &byte, 1) > 0) {
  }
  for (auto* machine : {lab.a.get(), lab.b.get()}) {
    gate::Statistics const total = machine->statistics();
    std::printf("%s in %llu out %llu icv %llu replay %llu full %llu none %llu malformed %llu\n",
                machine->name.c_str(), static_cast<unsigned long long>(total.packets_in),
                static_cast<unsigned long long>(total.packets_out),
                static_cast<unsigned long long>(total.dropped_icv),
                static_cast<unsigned long long>(total.dropped_replay),
                static_cast<unsigned long long>(total.dropped_full),
                static_cast<unsigned long long>(total.dropped_no_association),
                static_cast<unsigned long long>(total.dropped_malformed));
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  std::signal(SIGTERM, SIG_IGN);  // the end of input is the end, so that nothing is left behind
  std::signal(SIGINT, SIG_IGN);
  try {
    return drive(count > 1 ? std::atoi(words[1]) : 1500, count > 2 ? std::atoi(words[2]) : 1420);
  } catch (std::exception const& e) {
    std::fprintf(stderr, "gate_driver: %s\n", e.what());
    return 1;
  }
}
