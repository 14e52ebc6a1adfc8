#include "net/event_loop.hpp"

#include <csignal>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace shamon {
namespace {

using std::chrono::milliseconds;
constexpr Duration kPatience = std::chrono::seconds(30);

struct SocketPair {
  UniqueFd a, b;
  SocketPair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    a.reset(fds[0]);
    b.reset(fds[1]);
  }
};

TEST(EventLoop, timers_fire_in_order_of_time_never_early_and_not_when_cancelled) {
  EventLoop loop;
  std::vector<int> fired;
  Instant const start = loop.now();
  loop.after(milliseconds(20), [&] {
    EXPECT_GE(loop.now() - start, milliseconds(20));
    fired.push_back(3);
  });
  loop.after(milliseconds(5), [&] { fired.push_back(2); });
  loop.at(start - milliseconds(1), [&] { fired.push_back(1); });
  auto const cancelled = loop.after(milliseconds(1), [&] { fired.push_back(9); });
  loop.cancel(cancelled);
  loop.cancel(cancelled);
  loop.cancel(EventLoop::TimerId{12345});
  EXPECT_TRUE(loop.run_until([&] { return fired.size() == 3; }, kPatience));
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
}

TEST(EventLoop, a_timer_that_sets_itself_again_does_not_starve_descriptors) {
  EventLoop loop;
  SocketPair pair;
  int turns = 0;
  bool heard = false;
  std::function<void()> again = [&] {
    ++turns;
    loop.at(loop.now(), again);
  };
  again();
  loop.watch(pair.a.get(), EPOLLIN, [&](std::uint32_t) { heard = true; });
  ASSERT_EQ(::write(pair.b.get(), "x", 1), 1);
  EXPECT_TRUE(loop.run_until([&] { return heard; }, kPatience));
  EXPECT_GE(turns, 1);
}

TEST(EventLoop, a_handler_may_unwatch_itself_and_others_of_the_same_batch) {
  EventLoop loop;
  SocketPair one, two;
  int calls = 0;
  auto handler = [&](std::uint32_t) {
    ++calls;
    loop.unwatch(one.a.get());
    loop.unwatch(two.a.get());
    loop.unwatch(two.a.get());
  };
  loop.watch(one.a.get(), EPOLLIN, handler);
  loop.watch(two.a.get(), EPOLLIN, handler);
  ASSERT_EQ(::write(one.b.get(), "x", 1), 1);
  ASSERT_EQ(::write(two.b.get(), "x", 1), 1);
  EXPECT_FALSE(loop.run_until([&] { return calls > 1; }, milliseconds(30)));
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, an_event_for_a_closed_descriptor_does_not_reach_its_successor) {
  EventLoop loop;
  SocketPair one, two;
  int wrong = 0, calls = 0;
  // Whichever comes first closes the other and puts a new watch on the same number.
  auto swap = [&](SocketPair& other) {
    ++calls;
    int const number = other.a.get();
    loop.unwatch(number);
    other.a.reset();
    UniqueFd fresh(::dup(one.b.get()));
    EXPECT_EQ(fresh.get(), number);
    other.a = std::move(fresh);
    loop.watch(number, 0, [&](std::uint32_t) { ++wrong; });
  };
  loop.watch(one.a.get(), EPOLLIN, [&](std::uint32_t) {
    loop.unwatch(one.a.get());
    if (calls == 0) swap(two);
  });
  loop.watch(two.a.get(), EPOLLIN, [&](std::uint32_t) {
    loop.unwatch(two.a.get());
    if (calls == 0) swap(one);
  });
  ASSERT_EQ(::write(one.b.get(), "x", 1), 1);
  ASSERT_EQ(::write(two.b.get(), "x", 1), 1);
  loop.run_until([] { return false; }, milliseconds(20));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(wrong, 0);
}

TEST(EventLoop, posts_from_another_thread_all_arrive) {
  EventLoop loop;
  int arrived = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&] { ++arrived; });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  other.join();
  EXPECT_EQ(arrived, 1000);
}

TEST(EventLoop, signals_become_tasks) {
  EventLoop loop;
  int hups = 0, users = 0;
  loop.on_signal(SIGHUP, [&] { ++hups; });
  loop.on_signal(SIGUSR1, [&] {
    ++users;
    loop.stop();
  });
  ::kill(::getpid(), SIGHUP);
  ::kill(::getpid(), SIGUSR1);
  loop.run();
  EXPECT_EQ(hups, 1);
  EXPECT_EQ(users, 1);
}

TEST(EventLoop, run_until_gives_up_at_its_limit) {
  EventLoop loop;
  Instant const start = loop.now();
  EXPECT_FALSE(loop.run_until([] { return false; }, milliseconds(15)));
  EXPECT_GE(loop.now() - start, milliseconds(15));
}

}  // namespace
}  // namespace shamon
