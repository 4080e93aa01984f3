// The timer wheel against a sorted map, and its edges.
#include "edge/io/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "edge/base/random.h"

namespace nodex {
namespace {

constexpr Nanoseconds origin = 12'345'678'901;

struct Alarm {
    Timer timer;
    TimerWheel* wheel = nullptr;
    Nanoseconds fired_at = -1;
    Nanoseconds* now = nullptr;
    int count = 0;
    void fire() noexcept {
        EXPECT_FALSE(timer.armed());
        fired_at = *now;
        ++count;
    }
};

Nanoseconds round_up(Nanoseconds at) { return (at + millisecond - 1) / millisecond * millisecond; }

// Deadlines from nanoseconds to weeks, re-armed and cancelled at random, time in leaps of every size: each
// timer fires exactly once, in the first expire() at or after its tick, never early; and the loop, sleeping
// until next_deadline_ns(), would never have slept too long.
TEST(TimerWheel, AgreesWithASortedMap) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SeededRandom random(seed);
        Nanoseconds now = origin;
        TimerWheel wheel(now);
        std::vector<Alarm> alarms(200);
        std::multimap<Nanoseconds, std::size_t> model;
        const auto forget = [&](std::size_t index) {
            std::erase_if(model, [&](const auto& entry) { return entry.second == index; });
        };
        for (int step = 0; step < 3'000; ++step) {
            const auto index = static_cast<std::size_t>(random.below(alarms.size()));
            Alarm& alarm = alarms[index];
            alarm.now = &now;
            const std::uint64_t choice = random.below(10);
            if (choice < 5) {
                const auto span =
                    static_cast<Nanoseconds>(random.below(std::uint64_t{1} << random.below(52)));
                forget(index);
                model.emplace(now + span, index);
                start_timer<&Alarm::fire>(wheel, alarm.timer, now + span, &alarm);
            } else if (choice < 7) {
                forget(index);
                wheel.cancel(alarm.timer);
            } else {
                now += static_cast<Nanoseconds>(random.below(std::uint64_t{1} << random.below(50)));
                std::vector<std::size_t> due;
                while (!model.empty() && round_up(model.begin()->first) <= now) {
                    due.push_back(model.begin()->second);
                    model.erase(model.begin());
                }
                for (Alarm& each : alarms) each.count = 0;
                ASSERT_EQ(wheel.expire(now), due.size()) << "seed " << seed << " step " << step;
                for (const std::size_t each : due) ASSERT_EQ(alarms[each].count, 1) << "seed " << seed;
            }
            ASSERT_EQ(wheel.armed_count(), model.size());
            if (model.empty()) {
                ASSERT_EQ(wheel.next_deadline_ns(), INT64_MAX);
            } else {
                ASSERT_LE(wheel.next_deadline_ns(), round_up(model.begin()->first)) << "seed " << seed;
            }
        }
        for (Alarm& each : alarms) wheel.cancel(each.timer);
    }
}

TEST(TimerWheel, FiresOldestFirstAndNeverEarly) {
    Nanoseconds now = origin;
    TimerWheel wheel(now);
    static std::vector<int> order;
    order.clear();
    struct Numbered {
        Timer timer;
        int number;
        void fire() noexcept { order.push_back(number); }
    };
    Numbered alarms[] = {{{}, 3}, {{}, 1}, {{}, 2}};
    for (Numbered& each : alarms)
        start_timer<&Numbered::fire>(wheel, each.timer, now + each.number * 70 * millisecond, &each);
    now += 70 * millisecond - 1;
    EXPECT_EQ(wheel.expire(now), 0u);
    now += 200 * millisecond;
    wheel.expire(now);
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(TimerWheel, PastDeadlineFiresOnTheNextExpire) {
    Nanoseconds now = origin;
    TimerWheel wheel(now);
    Alarm alarm{.timer = {}, .wheel = &wheel, .fired_at = -1, .now = &now};
    start_timer<&Alarm::fire>(wheel, alarm.timer, now - second, &alarm);
    EXPECT_LE(wheel.next_deadline_ns(), now);
    EXPECT_EQ(wheel.expire(now), 1u);
    EXPECT_EQ(wheel.expire(now), 0u);
}

// A timer that starts itself in the past must not keep expire() busy for ever.
TEST(TimerWheel, CallbackThatRearmsInThePastRunsOncePerExpire) {
    Nanoseconds now = origin;
    TimerWheel wheel(now);
    struct Restless {
        TimerWheel& wheel;
        Timer timer;
        int count = 0;
        void fire() noexcept {
            ++count;
            start_timer<&Restless::fire>(wheel, timer, 0, this);
        }
    } restless{wheel, {}};
    start_timer<&Restless::fire>(wheel, restless.timer, now + 5 * millisecond, &restless);
    now += second;
    EXPECT_EQ(wheel.expire(now), 1u);
    EXPECT_EQ(wheel.expire(now), 1u);
    EXPECT_EQ(restless.count, 2);
    wheel.cancel(restless.timer);
}

TEST(TimerWheel, CallbackMayCancelAndDestroyItsNeighbours) {
    Nanoseconds now = origin;
    TimerWheel wheel(now);
    static std::vector<std::unique_ptr<Timer>> others;
    others.clear();
    static int fired;
    fired = 0;
    for (int i = 0; i < 8; ++i) {
        others.push_back(std::make_unique<Timer>());
        wheel.start(*others.back(), now + 3 * millisecond,
                    [](void*) noexcept {
                        ++fired;
                        others.clear();
                    },
                    nullptr);
    }
    now += second;
    EXPECT_EQ(wheel.expire(now), 1u);
    EXPECT_EQ(fired, 1);
    EXPECT_EQ(wheel.armed_count(), 0u);
    EXPECT_EQ(wheel.next_deadline_ns(), INT64_MAX);
}

TEST(TimerWheel, DestroyingAnArmedTimerCancelsIt) {
    TimerWheel wheel(origin);
    {
        Alarm alarm;
        start_timer<&Alarm::fire>(wheel, alarm.timer, origin + second, &alarm);
        EXPECT_EQ(wheel.armed_count(), 1u);
    }
    EXPECT_EQ(wheel.armed_count(), 0u);
    EXPECT_EQ(wheel.expire(origin + 2 * second), 0u);
}

}  // namespace
}  // namespace nodex
