// SimNetwork: see the header. Everything on its way is in one map by time of arrival and number, so
// that one seed makes one history.
#include "replication/transport_sim.h"

#include <algorithm>
#include <optional>
#include <set>

#include "replication/pending_requests.h"
#include "replication/subject.h"

namespace nodex::replication {
namespace {

constexpr unsigned centre_of_network = ~0u;  // no POP has this number

// Whose links a message crosses.
struct Route {
    unsigned from = 0;
    unsigned to = centre_of_network;
    auto operator<=>(const Route&) const noexcept = default;
    [[nodiscard]] Route back() const noexcept { return {to, from}; }
};
// A request as its end knows it.
struct Asked {
    std::uint64_t end = 0;
    std::uint64_t number = 0;
};

}  // namespace

struct SimNetwork::State : std::enable_shared_from_this<State> {
    struct Centre final : TransportServer {
        explicit Centre(State& state) : network(state) {}
        void attach(Mailbox*) override {}  // step() drives this end
        void serve(Bytes subject, RequestHandler handler) override {
            handlers.set(subject, std::move(handler));
        }
        void publish(Bytes subject, std::string payload) override;
        State& network;
        SubjectTable<RequestHandler> handlers;
    };
    struct Flight {
        Route route;
        std::function<void()> arrive;
    };

    State(ManualClock& time, std::uint64_t seed) : clock(time), random(seed), centre(*this) {}

    bool chance(unsigned percent) { return random.below(100) < percent; }
    [[nodiscard]] bool is_cut(Route route) const {
        return cuts.contains({route.from, Direction::from_pop}) ||
               cuts.contains({route.to, Direction::to_pop});
    }
    // Puts a message on its way: not at all, once or twice.
    void send(Route route, const std::function<void()>& arrive) {
        const unsigned copies = chance(faults.drop_percent)        ? 0
                                : chance(faults.duplicate_percent) ? 2
                                                                   : 1;
        losses.dropped += copies == 0 ? 1 : 0;
        losses.repeated += copies == 2 ? 1 : 0;
        for (unsigned i = 0; i < copies; ++i) {
            const auto spread = static_cast<std::uint64_t>(faults.delay_max - faults.delay_min) + 1;
            const Nanoseconds delay =
                faults.delay_min + static_cast<Nanoseconds>(random.below(spread));
            flights.emplace(std::pair(clock.now_ns() + delay, ++last_number),
                            Flight{route, arrive});
        }
    }
    [[nodiscard]] End* server_of(Bytes subject) const;
    void deliver_request(Route route, std::uint64_t server, const Asked& asked,
                         const std::string& subject, const std::string& payload);

    ManualClock& clock;
    SeededRandom random;
    SimFaults faults;
    Centre centre;
    std::map<std::pair<Nanoseconds, std::uint64_t>, Flight> flights;
    std::map<Route, std::uint64_t> newest;  // that was delivered
    std::set<std::pair<unsigned, Direction>> cuts;
    SimLosses losses;
    std::map<std::uint64_t, End*> ends;  // living, by number
    std::uint64_t last_number = 0;
    std::uint64_t last_end = 0;
};

// One POP's end, as long as that POP's process lives.
struct SimNetwork::End final : Transport {
    End(std::shared_ptr<State> state, unsigned pop_number)
        : network(std::move(state)), pop(pop_number), number(++network->last_end) {
        network->ends.emplace(number, this);
    }
    ~End() override { network->ends.erase(number); }

    void attach(Mailbox* mailbox) override {  // step() drives this end
        detached = mailbox == nullptr;
        if (detached) pending.clear();
    }
    void request(Bytes subject, std::string payload, Nanoseconds timeout_ns,
                 ReplyHandler handler) override {
        if (detached) return;
        const std::uint64_t asked =
            pending.add(network->clock.now_ns() + timeout_ns, std::move(handler));
        const End* server = network->server_of(subject);
        const Route route{pop, server == nullptr ? centre_of_network : server->pop};
        network->send(
            route,
            [state = network.get(), route, serving = server == nullptr ? 0 : server->number,
             who = Asked{number, asked}, where = std::string(subject), text = std::move(payload)] {
                state->deliver_request(route, serving, who, where, text);
            });
    }
    void publish(Bytes subject, std::string payload) override {
        network->centre.publish(subject, std::move(payload));
    }
    void subscribe(Bytes subject, MessageHandler handler) override {
        subscriptions.set(subject, std::move(handler));
    }
    void serve(Bytes subject, RequestHandler handler) override {
        served.set(subject, std::move(handler));
    }
    void expire() override { pending.expire(network->clock.now_ns()); }

    std::shared_ptr<State> network;
    const unsigned pop;
    const std::uint64_t number;
    bool detached = false;
    PendingRequests pending;
    SubjectTable<MessageHandler> subscriptions;
    SubjectTable<RequestHandler> served;
};

// The POP that serves the subject; null: it is the centre's.
SimNetwork::End* SimNetwork::State::server_of(Bytes subject) const {
    for (const auto& [number, end] : ends)
        if (!end->detached && end->served.find(subject) != nullptr) return end;
    return nullptr;
}

void SimNetwork::State::deliver_request(Route route, std::uint64_t server, const Asked& asked,
                                        const std::string& subject, const std::string& payload) {
    const auto reply_with = [this, route, asked](std::optional<std::string> reply) {
        send(route.back(), [this, asked, reply = std::move(reply)] {
            const auto living = ends.find(asked.end);
            if (living == ends.end()) return;  // the process that asked is gone
            if (reply)
                living->second->pending.finish(asked.number, *reply);
            else
                living->second->pending.finish(asked.number,
                                               PendingRequests::link_error(ErrorCode::unavailable));
        });
    };
    const auto serving = ends.find(server);
    const RequestHandler* found = server == 0             ? centre.handlers.find(subject)
                                  : serving == ends.end() ? nullptr
                                                          : serving->second->served.find(subject);
    if (found == nullptr) return reply_with(std::nullopt);
    const RequestHandler handler = *found;  // stop_centre() may come from inside it
    handler(subject, payload, [reply_with](std::string reply) { reply_with(std::move(reply)); });
}

void SimNetwork::State::Centre::publish(Bytes subject, std::string payload) {
    for (const auto& [number, end] : network.ends)
        network.send({centre_of_network, end->pop},
                     [state = &network, id = number, where = std::string(subject), payload] {
                         const auto living = state->ends.find(id);
                         if (living == state->ends.end() || living->second->detached) return;
                         if (const auto* handler = living->second->subscriptions.find(where))
                             (*handler)(where, payload);
                     });
}

SimNetwork::SimNetwork(ManualClock& clock, std::uint64_t seed)
    : state_(std::make_shared<State>(clock, seed)) {}
SimNetwork::~SimNetwork() {
    state_->flights.clear();
}
TransportServer& SimNetwork::centre() noexcept {
    return state_->centre;
}
std::unique_ptr<Transport> SimNetwork::connect(unsigned pop) {
    return std::make_unique<End>(state_, pop);
}
void SimNetwork::set_faults(const SimFaults& faults) noexcept {
    NX_ASSERT(faults.delay_min >= 0 && faults.delay_max >= faults.delay_min);
    state_->faults = faults;
}
void SimNetwork::cut(unsigned pop, bool is_cut) {
    cut(pop, Direction::from_pop, is_cut);
    cut(pop, Direction::to_pop, is_cut);
}
void SimNetwork::cut(unsigned pop, Direction direction, bool is_cut) {
    if (is_cut)
        state_->cuts.emplace(pop, direction);
    else
        state_->cuts.erase({pop, direction});
}
const SimLosses& SimNetwork::losses() const noexcept {
    return state_->losses;
}
void SimNetwork::stop_centre() {
    state_->centre.handlers.clear();
}
bool SimNetwork::empty() const noexcept {
    return state_->flights.empty();
}

unsigned SimNetwork::step() {
    unsigned delivered = 0;
    while (!state_->flights.empty() &&
           state_->flights.begin()->first.first <= state_->clock.now_ns()) {
        const std::uint64_t number = state_->flights.begin()->first.second;
        const State::Flight flight = std::move(state_->flights.begin()->second);
        state_->flights.erase(state_->flights.begin());
        if (state_->is_cut(flight.route)) {
            ++state_->losses.cut;
            continue;
        }
        std::uint64_t& newest = state_->newest[flight.route];
        state_->losses.overtaken += number < newest ? 1 : 0;
        newest = std::max(newest, number);
        flight.arrive();
        ++delivered;
    }
    std::vector<End*> living;
    for (const auto& [number, end] : state_->ends) living.push_back(end);
    for (End* end : living) end->expire();
    return delivered;
}

}  // namespace nodex::replication
