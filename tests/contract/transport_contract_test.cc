// What every Transport promises, for the twin between threads, the simulated one, and NATS with a
// real server: each handler runs exactly once, on the thread that drives its end, never inside
// request().
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>

#include "replication/nats/nats_transport.h"
#include "replication/nats/nats_transport_server.h"
#include "replication/thread_mailbox.h"
#include "replication/transport_inproc.h"
#include "replication/transport_sim.h"
#include "tests/support/nats_server.h"

namespace nodex::replication {
namespace {

// Both ends on one thread; settle() runs them until nothing is on its way.
class InprocWorld {
  public:
    InprocWorld() {
        link_.pop().attach(&pop_.mailbox());
        link_.centre().attach(&centre_.mailbox());
    }
    ~InprocWorld() {
        link_.pop().attach(nullptr);
        link_.centre().attach(nullptr);
        settle();
    }
    Transport& pop() { return link_.pop(); }
    Transport& other_pop() { return link_.pop(); }  // there is one: it may ask itself
    TransportServer& centre() { return link_.centre(); }
    void settle() {
        while (centre_.mailbox().deliver() + pop_.mailbox().deliver() > 0) continue;
        link_.pop().expire();
    }
    void pass(Nanoseconds by) { clock_.advance(by); }

  private:
    ManualClock clock_;
    InprocLink link_{clock_};
    ThreadMailbox pop_;
    ThreadMailbox centre_;
};

class SimWorld {
  public:
    Transport& pop() { return *pop_; }
    Transport& other_pop() { return *other_; }
    TransportServer& centre() { return network_.centre(); }
    void settle() {
        network_.step();
        for (int i = 0; i < 10; ++i) {
            clock_.advance(millisecond);
            network_.step();
        }
    }
    void pass(Nanoseconds by) { clock_.advance(by); }

  private:
    ManualClock clock_;
    SimNetwork network_{clock_, 1};
    std::unique_ptr<Transport> pop_ = network_.connect(0);
    std::unique_ptr<Transport> other_ = network_.connect(1);
};

// Three connections to one nats-server, all driven by this thread.
class NatsWorld {
  public:
    NatsWorld() {
        pop_.attach(&pop_mail_.mailbox());
        other_.attach(&other_mail_.mailbox());
        centre_.attach(&centre_mail_.mailbox());
    }
    ~NatsWorld() {
        pop_.attach(nullptr);
        other_.attach(nullptr);
        centre_.attach(nullptr);
        while (deliver() > 0) continue;
    }
    Transport& pop() { return pop_; }
    Transport& other_pop() { return other_; }
    TransportServer& centre() { return centre_; }
    void settle() {
        do {
            // Twice: what the first end sent while the last was asked is at its receiver then.
            for (int i = 0; i < 2; ++i)
                EXPECT_TRUE(pop_.flush(10 * second) && other_.flush(10 * second) &&
                            centre_.flush(10 * second));
        } while (deliver() > 0);
        pop_.expire();
        other_.expire();
    }
    void pass(Nanoseconds by) { clock_.advance(by); }

  private:
    static testing_support::NatsServer& server() {
        static testing_support::NatsServer server;
        return server;
    }
    unsigned deliver() {
        return pop_mail_.mailbox().deliver() + other_mail_.mailbox().deliver() +
               centre_mail_.mailbox().deliver();
    }
    ManualClock clock_;
    SeededRandom random_{1};
    ThreadMailbox pop_mail_, other_mail_, centre_mail_;
    NatsTransport pop_{server().address(), PopId{1}, clock_, random_};
    NatsTransport other_{server().address(), PopId{2}, clock_, random_};
    NatsTransportServer centre_{server().address()};
};

template <class World>
class TransportContract : public testing::Test {
  protected:
    // The outcomes of one request, as they come.
    void request(Bytes subject, std::string payload, Nanoseconds timeout_ns = second) {
        const std::size_t before = replies_.size() + errors_.size();
        world_.pop().request(subject, std::move(payload), timeout_ns,
                             [this](Result<std::string> reply) {
                                 if (reply)
                                     replies_.push_back(*reply);
                                 else
                                     errors_.push_back(reply.error().code);
                             });
        EXPECT_EQ(replies_.size() + errors_.size(), before) << "the handler ran inside request()";
    }
    World world_;
    std::vector<std::string> replies_;
    std::vector<ErrorCode> errors_;
};
using Worlds = testing::Types<InprocWorld, SimWorld, NatsWorld>;
class WorldNames {
  public:
    template <class World>
    static std::string GetName(int index) {
        constexpr const char* names[] = {"Inproc", "Sim", "Nats"};
        return names[index];
    }
};
TYPED_TEST_SUITE(TransportContract, Worlds, WorldNames);

TYPED_TEST(TransportContract, ARequestGetsItsOwnReply) {
    this->world_.centre().serve(
        "echo", [](Bytes subject, Bytes payload, const TransportServer::Respond& respond) {
            respond(std::string(subject) + ":" + std::string(payload));
        });
    this->request("echo", "one");
    this->request("echo", "two");
    this->world_.settle();
    EXPECT_EQ(this->replies_, (std::vector<std::string>{"echo:one", "echo:two"}));
    EXPECT_TRUE(this->errors_.empty());
}

TYPED_TEST(TransportContract, ASubjectNobodyServesIsUnavailable) {
    this->request("nobody", "x");
    this->world_.settle();
    EXPECT_EQ(this->errors_, std::vector<ErrorCode>{ErrorCode::unavailable});
}

TYPED_TEST(TransportContract, WithoutAnAnswerTheDeadlineEndsItOnce) {
    TransportServer::Respond late;
    this->world_.centre().serve(
        "slow", [&](Bytes, Bytes, const TransportServer::Respond& respond) { late = respond; });
    this->request("slow", "x", second);
    this->world_.settle();
    EXPECT_TRUE(this->errors_.empty());
    this->world_.pass(2 * second);
    this->world_.settle();
    EXPECT_EQ(this->errors_, std::vector<ErrorCode>{ErrorCode::timed_out});
    late("too late");
    this->world_.settle();
    EXPECT_TRUE(this->replies_.empty());
    EXPECT_EQ(this->errors_.size(), 1u);
}

TYPED_TEST(TransportContract, AnAnswerMayComeLater) {
    TransportServer::Respond later;
    this->world_.centre().serve(
        "later", [&](Bytes, Bytes, const TransportServer::Respond& respond) { later = respond; });
    this->request("later", "x");
    this->world_.settle();
    later("now");
    this->world_.settle();
    EXPECT_EQ(this->replies_, std::vector<std::string>{"now"});
}

TYPED_TEST(TransportContract, AnsweringTwiceIsHeardOnce) {
    this->world_.centre().serve("twice", [](Bytes, Bytes, const TransportServer::Respond& respond) {
        respond("first");
        respond("second");
    });
    this->request("twice", "x");
    this->world_.settle();
    EXPECT_EQ(this->replies_.size(), 1u);
}

TYPED_TEST(TransportContract, PublishedMessagesReachThoseWhoSubscribedToTheSubject) {
    std::vector<std::string> heard;
    this->world_.pop().subscribe("news", [&](Bytes subject, Bytes payload) {
        heard.push_back(std::string(subject) + ":" + std::string(payload));
    });
    this->world_.centre().publish("other", "no");
    this->world_.centre().publish("news", "yes");
    this->world_.settle();
    EXPECT_EQ(heard, std::vector<std::string>{"news:yes"});
}

TYPED_TEST(TransportContract, AHandlerMayAskAgain) {
    this->world_.centre().serve("echo",
                                [](Bytes, Bytes payload, const TransportServer::Respond& respond) {
                                    respond(std::string(payload));
                                });
    std::string second_reply;
    this->world_.pop().request("echo", "a", second, [&](Result<std::string> first) {
        this->world_.pop().request("echo", *first + "b", second,
                                   [&](Result<std::string> next) { second_reply = *next; });
    });
    this->world_.settle();
    EXPECT_EQ(second_reply, "ab");
}

TYPED_TEST(TransportContract, APopAnswersAnotherUnderASubjectOfItsOwn) {
    this->world_.other_pop().serve("nx.v1.pop.2.>",
                                   [](Bytes subject, Bytes payload, const Respond& respond) {
                                       respond(std::string(subject) + ":" + std::string(payload));
                                   });
    this->request("nx.v1.pop.2.1.fetch", "x");
    this->request("nx.v1.pop.2.", "no token");
    this->request("nx.v1.pop.20.1.fetch", "another POP");
    this->world_.settle();
    EXPECT_EQ(this->replies_, std::vector<std::string>{"nx.v1.pop.2.1.fetch:x"});
    EXPECT_EQ(this->errors_,
              (std::vector<ErrorCode>{ErrorCode::unavailable, ErrorCode::unavailable}));
}

TYPED_TEST(TransportContract, APopMayAnswerLaterAndTheCentreIsNotAsked) {
    Respond later;
    this->world_.centre().serve("nx.v1.rpc.reg",
                                [](Bytes, Bytes, const Respond& respond) { respond("centre"); });
    this->world_.other_pop().serve("nx.v1.pop.2.>",
                                   [&](Bytes, Bytes, const Respond& respond) { later = respond; });
    this->request("nx.v1.pop.2.1.follow", "x", 5 * second);
    this->world_.settle();
    ASSERT_NE(later, nullptr);
    EXPECT_TRUE(this->replies_.empty());
    later("pop");
    this->world_.settle();
    EXPECT_EQ(this->replies_, std::vector<std::string>{"pop"});
}

TYPED_TEST(TransportContract, APopHearsWhatAnotherPublishes) {
    std::vector<std::string> heard;
    this->world_.other_pop().subscribe("nx.v1.pop.2.>", [&](Bytes subject, Bytes payload) {
        heard.push_back(std::string(subject) + ":" + std::string(payload));
    });
    this->world_.pop().publish("nx.v1.pop.2.1.copy", "sealed");
    this->world_.pop().publish("nx.v1.pop.3.1.copy", "for another");
    this->world_.settle();
    EXPECT_EQ(heard, std::vector<std::string>{"nx.v1.pop.2.1.copy:sealed"});
}

TYPED_TEST(TransportContract, ADetachedEndHearsNothingMore) {
    std::vector<std::string> heard;
    Respond later;
    this->world_.pop().subscribe("late",
                                 [&](Bytes, Bytes payload) { heard.emplace_back(payload); });
    this->world_.centre().serve("late",
                                [&](Bytes, Bytes, const Respond& respond) { later = respond; });
    this->request("late", "x");
    this->world_.settle();
    this->world_.pop().attach(nullptr);
    later("r");
    this->world_.centre().publish("late", "p");
    this->world_.settle();
    this->world_.pass(2 * second);
    this->world_.settle();
    EXPECT_TRUE(this->replies_.empty());
    EXPECT_TRUE(this->errors_.empty());
    EXPECT_TRUE(heard.empty());
}

// --- what only the simulated network can do ---

// An agent that ends waits for the commits that are out, and what those do next may be to ask. It
// ended the process instead.
TYPED_TEST(TransportContract, WhatADetachedEndAsksIsDropped) {
    unsigned heard = 0;
    this->world_.centre().serve("nx.v1.rpc.claim", [&](Bytes, Bytes, const Respond& respond) {
        ++heard;
        respond("yes");
    });
    this->world_.settle();
    this->world_.pop().attach(nullptr);
    this->request("nx.v1.rpc.claim", "mine?");
    this->world_.settle();
    this->world_.pass(2 * second);
    this->world_.settle();
    EXPECT_EQ(heard, 0u);
    EXPECT_TRUE(this->replies_.empty() && this->errors_.empty());
}

TEST(SimNetworkFaults, DropDuplicateAndReorderWhatTheSeedSays) {
    ManualClock clock;
    SimNetwork network(clock, 3);
    network.set_faults({30, 30, millisecond, 50 * millisecond});
    std::vector<std::string> arrived;
    network.centre().serve("s", [&](Bytes, Bytes payload, const TransportServer::Respond&) {
        arrived.emplace_back(payload);
    });
    const std::unique_ptr<Transport> pop = network.connect(0);
    unsigned timeouts = 0;
    for (int i = 0; i < 200; ++i)
        pop->request("s", std::to_string(1'000 + i), second,
                     [&](Result<std::string> reply) { timeouts += reply ? 0u : 1u; });
    for (int i = 0; i < 200; ++i) {
        clock.advance(10 * millisecond);
        network.step();
    }
    const std::set<std::string> distinct(arrived.begin(), arrived.end());
    EXPECT_LT(distinct.size(), 200u);            // some were lost
    EXPECT_LT(distinct.size(), arrived.size());  // some came twice
    EXPECT_FALSE(std::is_sorted(arrived.begin(), arrived.end()));
    EXPECT_EQ(timeouts, 200u);
    EXPECT_TRUE(network.empty());
}

TEST(SimNetworkFaults, ACutLinkLosesBothDirectionsUntilItIsHealed) {
    ManualClock clock;
    SimNetwork network(clock, 3);
    network.centre().serve(
        "s", [](Bytes, Bytes, const TransportServer::Respond& respond) { respond("r"); });
    const std::unique_ptr<Transport> pop = network.connect(0);
    std::vector<bool> answered;
    const auto ask = [&] {
        pop->request("s", "x", 50 * millisecond,
                     [&](Result<std::string> reply) { answered.push_back(reply.has_value()); });
        for (int i = 0; i < 10; ++i) {
            clock.advance(10 * millisecond);
            network.step();
        }
    };
    network.cut(0, true);
    ask();
    network.cut(0, false);
    ask();
    EXPECT_EQ(answered, (std::vector<bool>{false, true}));
}

TEST(SimNetworkFaults, APopThatIsCutOffAnswersNoOtherPop) {
    ManualClock clock;
    SimNetwork network(clock, 3);
    const std::unique_ptr<Transport> asking = network.connect(1);
    const std::unique_ptr<Transport> serving = network.connect(2);
    serving->serve("nx.v1.pop.2.>", [](Bytes, Bytes, const Respond& respond) { respond("r"); });
    std::vector<std::optional<ErrorCode>> outcomes;
    const auto ask = [&] {
        asking->request("nx.v1.pop.2.1.fetch", "x", 50 * millisecond,
                        [&](Result<std::string> reply) {
                            outcomes.push_back(reply ? std::optional<ErrorCode>{}
                                                     : std::optional(reply.error().code));
                        });
        for (int i = 0; i < 10; ++i) {
            clock.advance(10 * millisecond);
            network.step();
        }
    };
    network.cut(2, true);
    ask();
    network.cut(2, false);
    ask();
    EXPECT_EQ(outcomes,
              (std::vector<std::optional<ErrorCode>>{ErrorCode::timed_out, std::nullopt}));
}

}  // namespace
}  // namespace nodex::replication
