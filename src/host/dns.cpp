#include "host/dns.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "tunnel/packet.hpp"

namespace shamon {
namespace {

constexpr std::size_t kHeaderBytes = 12, kNameBytesMax = 255;
constexpr std::size_t kAdditionalMax = 8;  ///< OPT, and perhaps a signature
constexpr std::uint16_t kUdpBytes = 1232;  ///< what we say we take (RFC 6891 §6.2.5)
constexpr std::uint16_t kTypeA = 1, kTypePtr = 12, kTypeAaaa = 28, kTypeOpt = 41, kTypeAny = 255;
constexpr std::uint16_t kClassIn = 1;
constexpr std::uint16_t kAnswerFlag = 0x8000, kAuthoritativeFlag = 0x0400, kOpcodeMask = 0x7800,
                        kRecursionDesired = 0x0100;

char lower_case(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

enum class Code : std::uint16_t {
  no_error = 0,
  format_error = 1,
  name_error = 3,
  not_implemented = 4,
  refused = 5,
  bad_version = 16,  // RFC 6891 §9: its upper bits stand in the OPT record
};

struct Query {
  std::uint16_t id = 0, flags = 0;
  ByteView question;                ///< as it came: the answer repeats it, letter case too
  std::vector<std::string> labels;  ///< in lower case
  std::uint16_t type = 0, klass = 0;
  bool extended = false;  ///< with an OPT record
  std::uint8_t version = 0;
};

/// A name without pointers: in a question there is nothing to point to.
bool read_labels(Cursor& in, std::vector<std::string>& labels) {
  std::size_t bytes = 1;
  for (;;) {
    std::size_t const size = in.u8();
    if (!in.ok() || size > 63) return false;
    if (size == 0) return true;
    std::string label = to_dns_case(as_text(in.take(size)));
    bytes += size + 1;
    if (!in.ok() || bytes > kNameBytesMax) return false;
    // A dot inside a label is none between labels; no VM is called so.
    std::replace(label.begin(), label.end(), '.', '\0');
    labels.push_back(std::move(label));
  }
}

bool read_additional(Cursor& in, std::size_t count, Query& out) {
  if (count > kAdditionalMax) return false;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::string> owner;
    if (!read_labels(in, owner)) return false;
    std::uint16_t const type = in.u16be();
    in.u16be();
    std::uint32_t const ttl = in.u32be();
    in.take(in.u16be());
    if (type != kTypeOpt) continue;
    if (out.extended || !owner.empty()) return false;  // RFC 6891 §6.1.1: one, of the root
    out.extended = true;
    out.version = static_cast<std::uint8_t>(ttl >> 16);
  }
  return in.ok();
}

Code read_query(Cursor& in, ByteView message, Query& out) {
  std::uint16_t const questions = in.u16be(), answers = in.u16be(), authorities = in.u16be(),
                      additional = in.u16be();
  if ((out.flags & kOpcodeMask) != 0) return Code::not_implemented;
  if (questions != 1 || answers != 0 || authorities != 0) return Code::format_error;
  bool const named = read_labels(in, out.labels);
  out.type = in.u16be();
  out.klass = in.u16be();
  if (!named || !in.ok()) return Code::format_error;
  out.question = message.subspan(kHeaderBytes, in.offset() - kHeaderBytes);
  if (!read_additional(in, additional, out)) return Code::format_error;
  if (out.extended && out.version != 0) return Code::bad_version;
  return out.klass == kClassIn ? Code::no_error : Code::refused;
}

/// The number a label is, written as it must be: no sign, no zero in front.
std::optional<std::uint8_t> number_in(std::string const& label, int base) {
  std::uint8_t value = 0;
  char const* const end = label.data() + label.size();
  auto const [at, error] = std::from_chars(label.data(), end, value, base);
  bool const padded = label.size() > 1 && label[0] == '0';
  if (error != std::errc{} || at != end || padded) return std::nullopt;
  return value;
}

bool ends_with(std::vector<std::string> const& labels, std::size_t own, std::string const& last) {
  return labels.size() == own + 2 && labels[own] == last && labels[own + 1] == "arpa";
}

/// The VM's address a reverse name stands for (RFC 1035 §3.5; RFC 3596 §2.5, any address of the
/// VM's prefix).
std::optional<Ipv4> reverse_address(std::vector<std::string> const& labels) {
  constexpr std::size_t kOctets = 4, kNibbles = 32;
  if (ends_with(labels, kOctets, "in-addr")) {
    Ipv4 address;
    for (std::size_t i = kOctets; i-- > 0;) {
      auto const octet = number_in(labels[i], 10);
      if (!octet) return std::nullopt;
      address.bits = address.bits << 8 | *octet;
    }
    return address;
  }
  if (!ends_with(labels, kNibbles, "ip6")) return std::nullopt;
  std::array<std::uint8_t, kNibbles / 2> bytes{};
  for (std::size_t i = 0; i < kNibbles; ++i) {
    std::string const& label = labels[kNibbles - 1 - i];
    auto const nibble = number_in(label, 16);
    if (!nibble || label.size() != 1) return std::nullopt;
    bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] << 4 | *nibble);
  }
  Ipv4 const vm = vm_of_ipv6(bytes.data());
  return vm.bits == 0 ? std::nullopt : std::optional<Ipv4>(vm);
}

std::string join(std::vector<std::string> const& labels) {
  std::string out;
  for (std::string const& label : labels) out += (out.empty() ? "" : ".") + label;
  return out;
}

bool is_in_network(Ipv4 address, DnsZone const& zone) noexcept {
  unsigned const host_bits = 32u - std::min<unsigned>(zone.prefix_length, 32);
  return std::uint64_t{address.bits} >> host_bits == std::uint64_t{zone.network.bits} >> host_bits;
}

struct Found {
  Code code = Code::refused;
  std::uint16_t type = 0;
  Bytes data;  ///< empty: the name exists, but has no such record
};

Found look_up_address(Query const& query, Ipv4 address, DnsZone const& zone) {
  auto const vm = zone.find_address(address);
  if (!vm) return {is_in_network(address, zone) ? Code::name_error : Code::refused, 0, {}};
  bool const asked = query.type == kTypePtr || query.type == kTypeAny;
  auto name = encode_dns_name(vm->name.value() + "." + zone.domain);
  if (!name) return {Code::name_error, 0, {}};
  return {Code::no_error, kTypePtr, asked ? std::move(*name) : Bytes{}};
}

Found look_up(Query const& query, DnsZone const& zone) {
  if (zone.domain.empty()) return {};
  if (auto const address = reverse_address(query.labels)) {
    return look_up_address(query, *address, zone);
  }
  std::string const name = join(query.labels);
  if (name == zone.domain) return {Code::no_error, 0, {}};
  if (!name.ends_with("." + zone.domain)) return {};
  auto const vm = zone.find(name.substr(0, name.size() - zone.domain.size() - 1));
  if (!vm) return {Code::name_error, 0, {}};
  if (query.type == kTypeAaaa) {
    return {Code::no_error, kTypeAaaa, to_bytes(slaac_address(vm->address, vm->mac).bytes)};
  }
  // RFC 8482 §4.1: one of the records is answer enough to ANY.
  if (query.type != kTypeA && query.type != kTypeAny) return {Code::no_error, 0, {}};
  ByteWriter data;
  data.u32be(vm->address.bits);
  return {Code::no_error, kTypeA, std::move(data).take()};
}

Bytes make_dns_answer(Query const& query, Found const& found) {
  auto const code = static_cast<std::uint16_t>(found.code);
  bool const ours = found.code == Code::no_error || found.code == Code::name_error;
  ByteWriter out;
  out.u16be(query.id);
  out.u16be(static_cast<std::uint16_t>(kAnswerFlag | (ours ? kAuthoritativeFlag : 0) |
                                       (query.flags & (kOpcodeMask | kRecursionDesired)) |
                                       (code & 15)));
  out.u16be(query.question.empty() ? 0 : 1).u16be(found.data.empty() ? 0 : 1);
  out.u16be(0).u16be(query.extended ? 1 : 0);
  out.bytes(query.question);
  if (!found.data.empty()) {
    out.u16be(0xc00c);  // the question's name, right behind the header
    out.u16be(found.type).u16be(kClassIn).u32be(kDnsTtlSeconds);
    out.u16be(static_cast<std::uint16_t>(found.data.size())).bytes(found.data);
  }
  if (query.extended) {
    std::uint32_t const upper = code >> 4;
    out.u8(0).u16be(kTypeOpt).u16be(kUdpBytes).u32be(upper << 24).u16be(0);
  }
  return std::move(out).take();
}

}  // namespace

std::string to_dns_case(std::string_view name) {
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), &lower_case);
  return out;
}

bool is_dns_equal(std::string_view name, std::string_view lower) noexcept {
  return std::equal(name.begin(), name.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return lower_case(a) == b; });
}

std::string dns_domain(CoalitionName const& coalition) {
  std::string domain = "vm." + to_dns_case(coalition.value()) + ".internal";
  return encode_dns_name(domain) ? domain : std::string();
}

std::optional<Bytes> answer_dns(ByteView message, DnsZone const& zone) {
  Cursor in(message);
  Query query;
  query.id = in.u16be();
  query.flags = in.u16be();
  if (message.size() < kHeaderBytes || (query.flags & kAnswerFlag) != 0) return std::nullopt;
  Code const code = read_query(in, message, query);
  return make_dns_answer(query, code == Code::no_error ? look_up(query, zone) : Found{code, 0, {}});
}

}  // namespace shamon
