// Mailbox: order, wake-ups, many senders.
#include "edge/base/mailbox.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>
#include <vector>

namespace nodex {
namespace {

struct CountingWaker final : Waker {
    std::atomic<int> wakes{0};
    void wake() noexcept override { ++wakes; }
};

struct Numbered final : Mail {
    Numbered(std::vector<int>* target, int value) noexcept
        : Mail([](Mail& mail) noexcept {
              auto& self = static_cast<Numbered&>(mail);
              self.target_->push_back(self.value_);
          }),
          target_(target),
          value_(value) {}
    std::vector<int>* target_;
    int value_;
};

TEST(Mailbox, DeliversInOrderOfArrival) {
    CountingWaker waker;
    Mailbox mailbox(waker);
    std::vector<int> seen;
    Numbered first(&seen, 1), second(&seen, 2), third(&seen, 3);
    mailbox.post(first);
    mailbox.post(second);
    mailbox.post(third);
    EXPECT_TRUE(first.posted());
    EXPECT_EQ(mailbox.deliver(), 3u);
    EXPECT_FALSE(first.posted());
    EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
}

TEST(Mailbox, WakesTheReceiverOnlyWhenItSleepsAndOnlyOnce) {
    CountingWaker waker;
    Mailbox mailbox(waker);
    std::vector<int> seen;
    Numbered first(&seen, 1), second(&seen, 2), third(&seen, 3);
    mailbox.post(first);
    EXPECT_EQ(waker.wakes, 0);
    EXPECT_FALSE(mailbox.may_sleep());
    mailbox.deliver();
    EXPECT_TRUE(mailbox.may_sleep());
    EXPECT_TRUE(mailbox.may_sleep());
    mailbox.post(second);
    mailbox.post(third);
    EXPECT_EQ(waker.wakes, 1);
    mailbox.deliver();
    EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
}

TEST(Mailbox, TakesAChainInItsOrderWithOneWakeUp) {
    CountingWaker waker;
    Mailbox mailbox(waker);
    std::vector<int> seen;
    Numbered first(&seen, 1), second(&seen, 2), third(&seen, 3), fourth(&seen, 4);
    mailbox.post(first);
    MailChain chain;
    chain.add(second);
    chain.add(third);
    EXPECT_TRUE(third.posted());
    MailChain moved = std::move(chain);
    mailbox.post(chain);  // empty now: nothing
    mailbox.post(moved);
    EXPECT_TRUE(moved.empty());
    mailbox.post(fourth);
    EXPECT_EQ(mailbox.deliver(), 4u);
    EXPECT_EQ(seen, (std::vector<int>{1, 2, 3, 4}));
    EXPECT_EQ(waker.wakes, 0);
    EXPECT_TRUE(mailbox.may_sleep());
    moved.add(first);
    moved.add(second);
    EXPECT_EQ(waker.wakes, 0);
    mailbox.post(moved);
    EXPECT_EQ(waker.wakes, 1);
    mailbox.deliver();
}

TEST(Mailbox, LosesNothingWithManySenders) {
    CountingWaker waker;
    Mailbox mailbox(waker);
    std::vector<int> seen;
    constexpr int senders = 4, each = 2'000;
    std::deque<Numbered> mail;
    for (int i = 0; i < senders * each; ++i) mail.emplace_back(&seen, i);
    std::vector<std::thread> threads;
    for (int s = 0; s < senders; ++s)
        threads.emplace_back([&, s] {
            for (int i = 0; i < each; ++i)
                mailbox.post(mail[static_cast<std::size_t>(s * each + i)]);
        });
    while (seen.size() < senders * each) {
        mailbox.deliver();
        if (mailbox.may_sleep()) mailbox.deliver();
    }
    for (auto& thread : threads) thread.join();
    std::vector<int> last(senders, -1);
    for (const int value : seen) {
        EXPECT_LT(last[static_cast<std::size_t>(value / each)],
                  value);  // each sender's own order holds
        last[static_cast<std::size_t>(value / each)] = value;
    }
}

}  // namespace
}  // namespace nodex
