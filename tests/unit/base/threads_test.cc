// Mailbox, Parker and Parcel between threads that really sleep: a lost wake-up hangs, a lost value is
// counted.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "edge/base/parcel.h"
#include "edge/base/parker.h"
#include "tests/support/together.h"

namespace nodex {
namespace {

// A thread's side of a mailbox: sleeps when there is no mail.
struct Station {
    // Runs what arrives until `wanted` mails have been delivered.
    void serve(std::uint32_t wanted) {
        std::uint32_t delivered = 0;
        while (delivered < wanted) {
            delivered += mailbox.deliver();
            if (delivered < wanted && mailbox.may_sleep()) parker.park(INT64_MAX);
        }
    }
    Parker parker;
    Mailbox mailbox{parker};
};

// Posts itself to the other station each time it is delivered, until its moves are used up.
struct Ball final : Mail {
    Ball(std::array<Station, 2>& between, std::uint32_t moves) noexcept
        : Mail([](Mail& mail) noexcept {
              auto& self = static_cast<Ball&>(mail);
              if (--self.moves_left == 0) return;
              self.at = 1 - self.at;
              self.stations[self.at].mailbox.post(self);
          }),
          stations(between),
          moves_left(moves) {}
    std::array<Station, 2>& stations;
    std::uint32_t moves_left;  // plain: the mailboxes alone must order it
    std::size_t at = 0;
};

TEST(MailboxThreads, MailThatGoesToAndFroAlwaysWakesTheSleeper) {
    constexpr std::uint32_t balls = 3, visits = 2'000;
    std::array<Station, 2> stations;
    std::deque<Ball> mail;
    for (std::uint32_t i = 0; i < balls; ++i) mail.emplace_back(stations, 2 * visits);
    for (Ball& ball : mail) stations[0].mailbox.post(ball);
    test::together(2, [&](std::size_t index) { stations[index].serve(balls * visits); });
    for (const Ball& ball : mail) EXPECT_EQ(ball.moves_left, 0u);
}

TEST(Parker, AWakeUpBeforeItSleepsIsNotLostAndCountsOnce) {
    Parker parker;
    parker.wake();
    parker.wake();
    parker.park(INT64_MAX);           // returns at once
    parker.park(1);                   // nothing is left of the second: ends by its time
}

struct Tagged {
    std::size_t sender;
    std::unique_ptr<std::uint32_t>
        number;  // on the heap: a value that is dropped twice or read late shows
};

struct Reader {
    void take(Tagged value) {
        EXPECT_LT(last[value.sender], *value.number) << "newer values come later";
        last[value.sender] = *value.number;
        ++taken;
    }
    std::array<std::uint32_t, 3> last{};
    std::uint32_t taken = 0;
};
using TaggedParcel = Parcel<Tagged, Reader, &Reader::take>;

TEST(Parcel, SendingAgainBeforeTheReceiverLooksReplacesTheValue) {
    Station station;
    Reader reader;
    TaggedParcel parcel(station.mailbox, reader);
    parcel.send({0, std::make_unique<std::uint32_t>(1)});
    parcel.send({0, std::make_unique<std::uint32_t>(2)});
    EXPECT_EQ(station.mailbox.deliver(), 1u);
    EXPECT_EQ(reader.last[0], 2u);
    EXPECT_EQ(reader.taken, 1u);
    parcel.send({0, std::make_unique<std::uint32_t>(3)});
    EXPECT_EQ(station.mailbox.deliver(), 1u);
    EXPECT_EQ(reader.last[0], 3u);
}

TEST(Parcel, TheLastValueSentAlwaysArrives) {
    constexpr std::uint32_t values = 5'000;
    Station station;
    Reader reader;
    TaggedParcel parcel(station.mailbox, reader);
    test::together(2, [&](std::size_t index) {
        if (index == 0) {
            for (std::uint32_t i = 1; i <= values; ++i)
                parcel.send({0, std::make_unique<std::uint32_t>(i)});
            return;
        }
        while (reader.last[0] < values) station.serve(1);
    });
    EXPECT_EQ(reader.last[0], values);
    EXPECT_LE(reader.taken, values);
    EXPECT_EQ(station.mailbox.deliver(), 0u);
}

TEST(Parcel, ManySendersNeverBringBackAnOlderValue) {
    constexpr std::uint32_t values = 2'000;
    constexpr std::size_t senders = 3;
    Station station;
    Reader reader;
    TaggedParcel parcel(station.mailbox, reader);
    std::atomic<std::size_t> finished{0};
    test::together(senders + 1, [&](std::size_t index) {
        if (index == senders) {
            while (finished.load() < senders) station.mailbox.deliver();
            return;
        }
        for (std::uint32_t i = 1; i <= values; ++i)
            parcel.send({index, std::make_unique<std::uint32_t>(i)});
        finished.fetch_add(1);
    });
    station.mailbox.deliver();
    EXPECT_GE(*std::max_element(reader.last.begin(), reader.last.end()), values) << "the last";
}

}  // namespace
}  // namespace nodex
