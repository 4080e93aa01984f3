// SimNetwork: see the header. Everything on its way is in one map by time of arrival and number, so
// that one seed makes one history.
#include "replication/transport_sim.h"

#include <optional>

namespace nodex::replication {
namespace {

Error central_error(ErrorCode code) noexcept {
    return {code, ErrorSource::central, true, 0};
}

}  // namespace

struct SimNetwork::State : std::enable_shared_from_this<State> {
    struct Centre final : TransportServer {
        explicit Centre(State& state) : network(state) {}
        void attach(Mailbox*) override {}  // step() drives this end
        void serve(Bytes subject, RequestHandler handler) override {
            handlers.insert_or_assign(std::string(subject), std::move(handler));
        }
        void publish(Bytes subject, std::string payload) override;
        State& network;
        std::map<std::string, RequestHandler, std::less<>> handlers;
    };
    struct Flight {
        unsigned pop = 0;
        std::function<void()> arrive;
    };

    State(ManualClock& time, std::uint64_t seed) : clock(time), random(seed), centre(*this) {}

    bool chance(unsigned percent) { return random.below(100) < percent; }
    // Puts a message on its way: not at all, once or twice.
    void send(unsigned pop, const std::function<void()>& arrive) {
        const unsigned copies = chance(faults.drop_percent)        ? 0
                                : chance(faults.duplicate_percent) ? 2
                                                                   : 1;
        for (unsigned i = 0; i < copies; ++i) {
            const auto spread = static_cast<std::uint64_t>(faults.delay_max - faults.delay_min) + 1;
            const Nanoseconds delay =
                faults.delay_min + static_cast<Nanoseconds>(random.below(spread));
            flights.emplace(std::pair(clock.now_ns() + delay, ++last_number), Flight{pop, arrive});
        }
    }
    void deliver_request(unsigned pop, std::uint64_t end, const std::string& subject,
                         const std::string& payload, std::uint64_t number);

    ManualClock& clock;
    SeededRandom random;
    SimFaults faults;
    Centre centre;
    std::map<std::pair<Nanoseconds, std::uint64_t>, Flight> flights;
    std::map<unsigned, bool> cuts;
    std::map<std::uint64_t, End*> ends;  // living, by number
    std::uint64_t last_number = 0;
    std::uint64_t last_end = 0;
};

// One POP's end, as long as that POP's process lives.
struct SimNetwork::End final : Transport {
    struct Pending {
        Nanoseconds deadline = 0;
        ReplyHandler handler;
    };
    End(std::shared_ptr<State> state, unsigned pop_number)
        : network(std::move(state)), pop(pop_number), number(++network->last_end) {
        network->ends.emplace(number, this);
    }
    ~End() override { network->ends.erase(number); }

    void attach(Mailbox*) override {}  // step() drives this end
    void request(Bytes subject, std::string payload, Nanoseconds timeout_ns,
                 ReplyHandler handler) override {
        const std::uint64_t request_number = ++last_request;
        pending.emplace(request_number,
                        Pending{network->clock.now_ns() + timeout_ns, std::move(handler)});
        network->send(
            pop, [state = network.get(), from = pop, end = number, where = std::string(subject),
                  text = std::move(payload), request_number] {
                state->deliver_request(from, end, where, text, request_number);
            });
    }
    void publish(Bytes subject, std::string payload) override {
        network->centre.publish(subject, std::move(payload));
    }
    void subscribe(Bytes subject, MessageHandler handler) override {
        subscriptions.insert_or_assign(std::string(subject), std::move(handler));
    }
    void expire() override {
        std::vector<std::uint64_t> late;
        for (const auto& [request_number, request] : pending)
            if (request.deadline <= network->clock.now_ns()) late.push_back(request_number);
        for (const std::uint64_t request_number : late)
            finish(request_number, central_error(ErrorCode::timed_out));
    }
    // A repeated reply finds nobody waiting.
    void finish(std::uint64_t request_number, Result<std::string> reply) {
        const auto found = pending.find(request_number);
        if (found == pending.end()) return;
        const ReplyHandler handler = std::move(found->second.handler);
        pending.erase(found);
        handler(std::move(reply));
    }

    std::shared_ptr<State> network;
    const unsigned pop;
    const std::uint64_t number;
    std::uint64_t last_request = 0;
    std::map<std::uint64_t, Pending> pending;
    std::map<std::string, MessageHandler, std::less<>> subscriptions;
};

void SimNetwork::State::deliver_request(unsigned pop, std::uint64_t end, const std::string& subject,
                                        const std::string& payload, std::uint64_t number) {
    const auto reply_with = [this, pop, end, number](std::optional<std::string> reply) {
        send(pop, [this, end, number, reply = std::move(reply)] {
            const auto living = ends.find(end);
            if (living == ends.end()) return;  // the process that asked is gone
            if (reply)
                living->second->finish(number, *reply);
            else
                living->second->finish(number, central_error(ErrorCode::unavailable));
        });
    };
    const auto found = centre.handlers.find(subject);
    if (found == centre.handlers.end()) return reply_with(std::nullopt);
    const TransportServer::RequestHandler handler = found->second;
    handler(subject, payload, [reply_with](std::string reply) { reply_with(std::move(reply)); });
}

void SimNetwork::State::Centre::publish(Bytes subject, std::string payload) {
    for (const auto& [number, end] : network.ends)
        network.send(end->pop,
                     [state = &network, id = number, where = std::string(subject), payload] {
                         const auto living = state->ends.find(id);
                         if (living == state->ends.end()) return;
                         const auto found = living->second->subscriptions.find(where);
                         if (found != living->second->subscriptions.end())
                             found->second(where, payload);
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
    state_->cuts[pop] = is_cut;
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
        const State::Flight flight = std::move(state_->flights.begin()->second);
        state_->flights.erase(state_->flights.begin());
        if (const auto found = state_->cuts.find(flight.pop);
            found != state_->cuts.end() && found->second)
            continue;
        flight.arrive();
        ++delivered;
    }
    std::vector<End*> living;
    for (const auto& [number, end] : state_->ends) living.push_back(end);
    for (End* end : living) end->expire();
    return delivered;
}

}  // namespace nodex::replication
