// decide() must not allocate: it runs between packets, and an allocation may fail or wait.
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "policy/decide.hpp"
#include "policy/source.hpp"

namespace {

std::size_t g_allocations = 0;

void* counted(std::size_t bytes) noexcept {
  ++g_allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}

}  // namespace

// Every other form of new ends in one of these.
void* operator new(std::size_t bytes) {
  void* const memory = counted(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void* operator new(std::size_t bytes, std::nothrow_t const&) noexcept {
  return counted(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace shamon {
namespace {

TEST(DecideAllocation, NoOperationAllocates) {
  auto const build = build_policy("p",
                                  "coalition c revision 1\ntype a_t b_t\n"
                                  "label x { share a_t  secrecy secret }\n"
                                  "label y { share b_t }\nlabel g { guard }\n"
                                  "wall w { a_t b_t }\nallow y <-> x tcp/1-9 udp/3\n");
  ASSERT_TRUE(build);
  LabelSet running;
  running.set(1);
  auto* const probe = new int(0);
  std::size_t const before = g_allocations;
  EXPECT_GT(before, 0u) << "allocations are counted";
  std::size_t allowed = 0;
  for (int operation = 0; operation < 8; ++operation) {
    for (std::uint16_t from = 0; from < 4; ++from) {
      for (std::uint16_t to = 0; to < 4; ++to) {
        for (std::uint16_t port = 0; port < 12; ++port) {
          Request const request{static_cast<Operation>(operation),
                                LabelId(from),
                                LabelId(to),
                                {6, port, 0},
                                Revision(1),
                                &running};
          allowed += decide(request, build->compiled).allowed() ? 1 : 0;
        }
      }
    }
  }
  std::size_t const after = g_allocations;
  delete probe;
  EXPECT_EQ(after, before);
  EXPECT_GT(allowed, 0u);
}

}  // namespace
}  // namespace shamon
