#include "tunnel/underlay_filter.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tunnel/esp.hpp"
#include "tunnel/limits.hpp"

namespace shamon {

namespace {

/// What the table is asked for, as it stands in packets.
struct Key {
  std::uint32_t spi = 0;  ///< network order
  std::array<std::uint8_t, 16> address{};
};
static_assert(sizeof(Key) == 20);

constexpr int kUdpHeaderBytes = 8;
constexpr int kRunMax = 128;  ///< UDP_MAX_SEGMENTS of the newest kernels

long bpf(bpf_cmd command, bpf_attr& attributes) noexcept {
  return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

std::uint64_t address_of(void const* memory) noexcept {
  return reinterpret_cast<std::uintptr_t>(memory);
}

Result<UniqueFd> create_table(bpf_map_type type, std::uint32_t key_bytes, std::uint32_t value_bytes,
                              std::uint32_t entries, std::uint32_t flags) {
  bpf_attr attributes{};
  attributes.map_type = type;
  attributes.key_size = key_bytes;
  attributes.value_size = value_bytes;
  attributes.max_entries = entries;
  attributes.map_flags = flags;
  UniqueFd table(static_cast<int>(bpf(BPF_MAP_CREATE, attributes)));
  if (!table) return fail_errno("table of the underlay filter");
  return table;
}

Status set(int table, Key const& key) noexcept {
  std::uint8_t const present = 1;
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(table);
  attributes.key = address_of(&key);
  attributes.value = address_of(&present);
  if (bpf(BPF_MAP_UPDATE_ELEM, attributes) != 0) return fail_errno("underlay filter");
  return {};
}

void clear(int table, Key const& key) noexcept {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(table);
  attributes.key = address_of(&key);
  (void)bpf(BPF_MAP_DELETE_ELEM, attributes);  // what is not there needs no deleting
}

Key key_of(AssociationSpec const& spec, unsigned lane) noexcept {
  return {htonl(spec.spi_in.value() + lane), spec.peer.address.bytes};
}

// --- the program ---------------------------------------------------------------------------------

/// Instructions (Documentation/bpf/standardization/instruction-set.rst of Linux) with jumps ahead
/// that are filled in where they land.
class Assembler {
 public:
  using Mark = std::size_t;

  Mark here() const noexcept { return code_.size(); }
  Mark emit(int code, int to, int from, int offset, std::int32_t value) {
    bpf_insn instruction{};
    instruction.code = static_cast<__u8>(code);
    instruction.dst_reg = to & 15;
    instruction.src_reg = from & 15;
    instruction.off = static_cast<__s16>(offset);
    instruction.imm = value;
    code_.push_back(instruction);
    return code_.size() - 1;
  }
  void set(int to, std::int32_t value) { emit(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value); }
  void copy(int to, int from) { emit(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
  void add(int to, std::int32_t value) { emit(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value); }
  void load(int size, int to, int from, int offset) {
    emit(BPF_LDX | size | BPF_MEM, to, from, offset, 0);
  }
  void store_word(int to, int offset, std::int32_t value) {
    emit(BPF_ST | BPF_W | BPF_MEM, to, 0, offset, value);
  }
  void call(int helper) { emit(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
  void end(std::int32_t result) {
    set(BPF_REG_0, result);
    emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }
  /// A table, or the address of its first value.
  void load_table(int to, int kind, int table) {
    emit(BPF_LD | BPF_DW | BPF_IMM, to, kind, 0, table);
    emit(0, 0, 0, 0, 0);
  }
  Mark jump() { return emit(BPF_JMP | BPF_JA, 0, 0, 0, 0); }
  Mark jump_if(int condition, int reg, std::int32_t value) {
    return emit(BPF_JMP | condition | BPF_K, reg, 0, 0, value);
  }
  void land(Mark jump) noexcept { jump_to(jump, here()); }
  void jump_to(Mark jump, Mark target) noexcept {
    code_[jump].off = static_cast<__s16>(static_cast<long>(target) - static_cast<long>(jump) - 1);
  }
  std::vector<bpf_insn> const& code() const noexcept { return code_; }

 private:
  std::vector<bpf_insn> code_;
};

// Where things are while the program runs.
constexpr int kPacket = BPF_REG_6, kAt = BPF_REG_7, kSegment = BPF_REG_8, kSeen = BPF_REG_9;
constexpr int kFrame = BPF_REG_10;
constexpr int kKeyAt = -24, kAddressAt = kKeyAt + 4, kVersionAt = -32;

/// memory[at..] of the frame = packet[offset..], counted from the outer IP header; r0: 0 if done.
void load_from_ip(Assembler& a, int offset, int at, int bytes) {
  a.copy(BPF_REG_1, kPacket);
  a.set(BPF_REG_2, offset);
  a.copy(BPF_REG_3, kFrame);
  a.add(BPF_REG_3, at);
  a.set(BPF_REG_4, bytes);
  a.set(BPF_REG_5, BPF_HDR_START_NET);
  a.call(BPF_FUNC_skb_load_bytes_relative);
}

/// The outer source into the key; r0: 0 if done.
void load_source(Assembler& a) {
  load_from_ip(a, 0, kVersionAt, 1);
  a.load(BPF_B, BPF_REG_1, kFrame, kVersionAt);
  a.emit(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_1, 0, 0, 4);
  Assembler::Mark const v6 = a.jump_if(BPF_JEQ, BPF_REG_1, 6);
  a.store_word(kFrame, kAddressAt, 0);  // ::ffff:a.b.c.d, as IpAddress has it
  a.store_word(kFrame, kAddressAt + 4, 0);
  a.store_word(kFrame, kAddressAt + 8, static_cast<std::int32_t>(htonl(0xffff)));
  load_from_ip(a, 12, kAddressAt + 12, 4);
  Assembler::Mark const loaded = a.jump();
  a.land(v6);
  load_from_ip(a, 8, kAddressAt, 16);
  a.land(loaded);
}

/// r0: what the table has for the datagram at kAt, 0 for nothing. Returns the jump that is taken
/// when there is no more datagram.
Assembler::Mark look_up(Assembler& a, int table) {
  a.copy(BPF_REG_1, kPacket);
  a.copy(BPF_REG_2, kAt);
  a.copy(BPF_REG_3, kFrame);
  a.add(BPF_REG_3, kKeyAt);
  a.set(BPF_REG_4, sizeof(Key::spi));
  a.call(BPF_FUNC_skb_load_bytes);
  Assembler::Mark const over = a.jump_if(BPF_JNE, BPF_REG_0, 0);
  a.load_table(BPF_REG_1, BPF_PSEUDO_MAP_FD, table);
  a.copy(BPF_REG_2, kFrame);
  a.add(BPF_REG_2, kKeyAt);
  a.call(BPF_FUNC_map_lookup_elem);
  return over;
}

/// counters[offset] += kSeen, and the packet is gone.
void drop(Assembler& a, int counters, std::size_t offset) {
  a.load_table(BPF_REG_1, BPF_PSEUDO_MAP_VALUE, counters);
  a.emit(BPF_STX | BPF_DW | BPF_ATOMIC, BPF_REG_1, kSeen, static_cast<int>(offset), BPF_ADD);
  a.end(0);
}

/// A run of datagrams (GRO) is dropped only if not one of them has an association: who slips his
/// own in front of a peer's must not take the peer's with them.
Assembler assemble(int admitted, int counters) {
  Assembler a;
  a.copy(kPacket, BPF_REG_1);
  a.set(kSeen, 1);
  load_source(a);
  Assembler::Mark const no_source = a.jump_if(BPF_JNE, BPF_REG_0, 0);
  a.load(BPF_W, BPF_REG_1, kPacket, offsetof(__sk_buff, len));
  Assembler::Mark const is_short =
      a.jump_if(BPF_JLT, BPF_REG_1, kUdpHeaderBytes + static_cast<int>(esp_bytes(0)));
  a.load(BPF_W, kSegment, kPacket, offsetof(__sk_buff, gso_size));
  a.set(kAt, kUdpHeaderBytes);
  a.set(kSeen, 0);
  Assembler::Mark const next = a.here();
  Assembler::Mark const over = look_up(a, admitted);
  Assembler::Mark const pass = a.jump_if(BPF_JNE, BPF_REG_0, 0);
  a.add(kSeen, 1);
  a.emit(BPF_ALU64 | BPF_ADD | BPF_X, kAt, kSegment, 0, 0);
  Assembler::Mark const was_alone = a.jump_if(BPF_JEQ, kSegment, 0);
  a.jump_to(a.jump_if(BPF_JLT, kSeen, kRunMax), next);
  a.land(pass);
  a.end(-1);  // all of it
  a.land(over);
  a.land(was_alone);
  drop(a, counters, offsetof(UnderlayFilter::Dropped, no_association));
  a.land(no_source);
  a.land(is_short);
  drop(a, counters, offsetof(UnderlayFilter::Dropped, malformed));
  return a;
}

Result<UniqueFd> load_program(Assembler const& assembled) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = address_of(assembled.code().data());
  attributes.insn_cnt = static_cast<std::uint32_t>(assembled.code().size());
  attributes.license = address_of("Apache-2.0");
  constexpr std::string_view kName = "shamon_underlay";
  static_assert(kName.size() < BPF_OBJ_NAME_LEN);
  std::memcpy(attributes.prog_name, kName.data(), kName.size());
  UniqueFd program(static_cast<int>(bpf(BPF_PROG_LOAD, attributes)));
  if (!program) return fail_errno("program of the underlay filter");
  return program;
}

}  // namespace

Result<UnderlayFilter> UnderlayFilter::create() {
  constexpr auto kEntriesMax = static_cast<std::uint32_t>(kAssociationsMax * kLanesMax);
  Result<UniqueFd> admitted =
      create_table(BPF_MAP_TYPE_HASH, sizeof(Key), 1, kEntriesMax, BPF_F_NO_PREALLOC);
  if (!admitted) return pass(admitted);
  Result<UniqueFd> counters =
      create_table(BPF_MAP_TYPE_ARRAY, sizeof(std::uint32_t), sizeof(Dropped), 1, 0);
  if (!counters) return pass(counters);
  Result<UniqueFd> program = load_program(assemble(admitted->get(), counters->get()));
  if (!program) return pass(program);
  return UnderlayFilter(*std::move(admitted), *std::move(counters), *std::move(program));
}

Status UnderlayFilter::check_usable() noexcept {
  Status const done = set(admitted_.get(), Key{});  // SPI 0 is no SPI
  clear(admitted_.get(), Key{});
  return done;
}

Status UnderlayFilter::attach(int udp_socket) noexcept {
  int const program = program_.get();
  if (::setsockopt(udp_socket, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) != 0) {
    return fail_errno("attach the underlay filter");
  }
  return {};
}

Status UnderlayFilter::admit(AssociationSpec const& spec) noexcept {
  Status done;
  for (unsigned lane = 0; lane < spec.lanes && done; ++lane) {
    done = set(admitted_.get(), key_of(spec, lane));
  }
  return done;
}

void UnderlayFilter::refuse(AssociationSpec const& spec) noexcept {
  for (unsigned lane = 0; lane < spec.lanes; ++lane) clear(admitted_.get(), key_of(spec, lane));
}

UnderlayFilter::Dropped UnderlayFilter::dropped() const noexcept {
  std::uint32_t const first = 0;
  Dropped result;
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(counters_.get());
  attributes.key = address_of(&first);
  attributes.value = address_of(&result);
  if (bpf(BPF_MAP_LOOKUP_ELEM, attributes) != 0) return {};
  return result;
}

}  // namespace shamon
