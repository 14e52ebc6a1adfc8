#include "policy/flow/service_set.hpp"

#include <algorithm>

namespace shamon {
namespace {

constexpr std::uint32_t kLast = 0xff'ffff;
constexpr std::uint32_t kPortMask = 0xffff;

std::string describe_ports(std::uint32_t low, std::uint32_t high) {
  auto const protocol = static_cast<std::uint8_t>(low >> 16);
  auto const from = static_cast<std::uint16_t>(low & kPortMask);
  auto const to = static_cast<std::uint16_t>(high & kPortMask);
  bool const named =
      protocol == kProtocolIcmp || protocol == kProtocolTcp || protocol == kProtocolUdp;
  if (named) return to_string(ServicePattern{protocol, from, to});
  return "protocol " + std::to_string(protocol);
}

}  // namespace

void ServiceSet::add_everything() {
  ranges_ = {{0, kLast}};
}

void ServiceSet::add(ServicePattern pattern) {
  if (pattern.protocol == 0) return add_everything();
  std::uint32_t const protocol = std::uint32_t{pattern.protocol} << 16;
  add(Range{protocol | pattern.port_low, protocol | pattern.port_high});
}

void ServiceSet::add(Range range) {
  std::vector<Range> out;
  for (Range const& one : ranges_) {
    bool const apart = one.high + 1 < range.low || range.high + 1 < one.low;
    if (apart) {
      out.push_back(one);
    } else {
      range = {std::min(range.low, one.low), std::max(range.high, one.high)};
    }
  }
  out.push_back(range);
  std::sort(out.begin(), out.end(), [](Range a, Range b) { return a.low < b.low; });
  ranges_ = std::move(out);
}

ServiceSet ServiceSet::without(ServiceSet const& other) const {
  ServiceSet out;
  for (Range rest : ranges_) {
    bool left = true;
    for (Range const& gone : other.ranges_) {
      if (gone.high < rest.low || gone.low > rest.high) continue;
      if (gone.low > rest.low) out.ranges_.push_back({rest.low, gone.low - 1});
      left = gone.high < rest.high;
      if (!left) break;
      rest.low = gone.high + 1;
    }
    if (left) out.ranges_.push_back(rest);
  }
  return out;
}

std::string ServiceSet::list() const {
  std::string out;
  for (Range const& range : ranges_) {
    for (std::uint32_t low = range.low; low <= range.high;) {
      std::uint32_t const high = std::min(range.high, low | kPortMask);
      out += (out.empty() ? "" : ", ") + describe_ports(low, high);
      low = high + 1;
    }
  }
  return out;
}

std::string ServiceSet::describe() const {
  if (ranges_.empty()) return "";
  ServiceSet everything;
  everything.add_everything();
  if (*this == everything) return "every service";
  ServiceSet const rest = everything.without(*this);
  std::string const others = rest.list();
  // A set is told by the shorter of its list and its exceptions.
  std::string const own = list();
  return others.size() < own.size() ? "every service except " + others : own;
}

}  // namespace shamon
