// A frame as a VM may send it: virtio-net header, Ethernet, and whatever follows. What is taken
// must come apart into whole packets.
#include "base/assert.hpp"
#include "tunnel/coalescer.hpp"
#include "tunnel/offload.hpp"

using namespace shamon;

namespace {

/// Where the payload is must make no difference, if the frame has no padding.
void expect_same_with_rest(std::span<std::uint8_t> bytes, Offload const& offload, std::size_t index,
                           std::vector<std::uint8_t> const& expected) {
  auto const whole = parse_ip_packet(bytes);
  std::size_t const head = whole->headers_bytes();
  if (whole->protocol != kProtocolTcp || head == bytes.size()) return;
  std::array<iovec, 2> const rest{iovec{&bytes[head], 1},
                                  iovec{bytes.data() + head + 1, bytes.size() - head - 1}};
  auto const packet = parse_ip_packet(bytes.first(head), rest);
  SHAMON_ASSERT(packet.has_value() == (whole->total_bytes() == bytes.size()));
  if (!packet) return;
  std::vector<std::uint8_t> out(expected.size());
  Segmenter(*packet, offload).write(index, 0, out);
  SHAMON_ASSERT(out == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::vector<std::uint8_t> input(data, data + size);
  if (input.size() < kVnetHeaderBytes) return 0;
  std::span<std::uint8_t> const header = std::span(input).first(kVnetHeaderBytes);
  auto const ethernet = parse_ethernet(std::span(input).subspan(kVnetHeaderBytes));
  if (!ethernet) return 0;
  if (auto const request = parse_arp_request(ethernet->payload)) {
    SHAMON_ASSERT(!parse_arp_request(make_arp_reply(*request, ethernet->source)).has_value());
  }
  if (auto const asked = parse_neighbour_solicitation(ethernet->payload)) {
    NeighbourAdvertisement answer = make_neighbour_advertisement(*asked, ethernet->source);
    SHAMON_ASSERT(!parse_neighbour_solicitation(answer).has_value());
  }
  auto packet = parse_ip_packet(ethernet->payload);
  if (!packet) return 0;
  if (apply_outer_ecn(*packet, 3)) SHAMON_ASSERT(parse_ip_packet(packet->bytes).has_value());
  SHAMON_ASSERT(packet->headers_bytes() <= packet->bytes.size());
  clamp_mss(*packet, 1000, true);
  TooBig answer = make_too_big(*packet, 1000);
  SHAMON_ASSERT(parse_ip_packet(std::span(answer.memory).first(answer.size)).has_value());
  auto const offload = parse_vnet_header(header, *packet);
  if (!offload) return 0;
  Segmenter const segmenter(*packet, *offload);
  Coalescer coalescer;
  std::vector<std::vector<std::uint8_t>> parts(segmenter.count());
  for (std::size_t i = 0; i < segmenter.count(); ++i) {
    parts[i].resize(segmenter.bytes(i));
    segmenter.write(i, 0, parts[i]);
    auto const part = parse_ip_packet(parts[i]);
    SHAMON_ASSERT(part.has_value());
    expect_same_with_rest(ethernet->payload, *offload, i, parts[i]);
    if (coalescer.append(*part)) continue;
    if (!coalescer.empty()) (void)coalescer.take();
    coalescer.begin(*part);
  }
  (void)make_vnet_header(coalescer.take().offload, *packet);
  return 0;
}
