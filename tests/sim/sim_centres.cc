// SimCentres: see the header.
#include "tests/sim/sim_centres.h"

#include <algorithm>

#include "replication/subject.h"

namespace nodex::replication {

// The process's end of the transport, and the process behind it.
struct SimCentres::Process final : TransportServer {
    struct Held {
        std::string subject;
        std::string request;
        Respond respond;
    };
    explicit Process(SimCentres& all) : group(all) {}
    void attach(Mailbox*) override {}
    void serve(Bytes subject, RequestHandler handler) override {
        handlers.set(subject, std::move(handler));
        group.attach(subject);
    }
    void publish(Bytes subject, std::string payload) override {
        group.network_.centre().publish(subject, std::move(payload));
    }
    void handle(Bytes subject, Bytes request, const Respond& respond) {
        const RequestHandler* found = handlers.find(subject);
        if (found == nullptr) return;
        (*found)(subject, request, [this, subject, request, &respond](std::string reply) {
            group.answered_(subject, request);
            respond(std::move(reply));
        });
    }
    void end() {
        central.reset();
        handlers.clear();
        held.clear();
        frozen = false;
    }

    SimCentres& group;
    SubjectTable<RequestHandler> handlers;
    std::unique_ptr<Central> central;
    std::deque<Held> held;  // while frozen
    bool frozen = false;
};

SimCentres::SimCentres(SimNetwork& network, Random& random, unsigned count, Answered answered)
    : network_(network), random_(random), answered_(std::move(answered)) {
    for (unsigned i = 0; i < count; ++i) processes_.push_back(std::make_unique<Process>(*this));
}
SimCentres::~SimCentres() = default;

void SimCentres::attach(Bytes subject) {
    network_.centre().serve(
        subject, [this](Bytes to, Bytes request, const TransportServer::Respond& respond) {
            deliver(to, request, respond);
        });
}

void SimCentres::deliver(Bytes subject, Bytes request, const TransportServer::Respond& respond) {
    std::vector<Process*> members;
    for (const auto& process : processes_)
        if (process->central) members.push_back(process.get());
    if (members.empty()) return;
    Process& chosen = *members[random_.below(members.size())];
    if (chosen.frozen)
        chosen.held.push_back({std::string(subject), std::string(request), respond});
    else
        chosen.handle(subject, request, respond);
}

void SimCentres::start(unsigned number, const Make& make) {
    Process& process = *processes_[number];
    process.end();
    process.central = make(process);
}

void SimCentres::kill(unsigned number) {
    processes_[number]->end();
    const bool any = std::any_of(processes_.begin(), processes_.end(),
                                 [](const auto& each) { return each->central != nullptr; });
    if (!any) network_.stop_centre();
}

void SimCentres::kill_all() {
    for (unsigned i = 0; i < processes_.size(); ++i) kill(i);
}

void SimCentres::freeze(unsigned number) {
    processes_[number]->frozen = processes_[number]->central != nullptr;
}

void SimCentres::wake(unsigned number) {
    Process& process = *processes_[number];
    process.frozen = false;
    const std::deque<Process::Held> held = std::move(process.held);
    process.held.clear();
    for (const Process::Held& each : held) process.handle(each.subject, each.request, each.respond);
}

bool SimCentres::running(unsigned number) const noexcept {
    return processes_[number]->central != nullptr && !processes_[number]->frozen;
}
bool SimCentres::frozen(unsigned number) const noexcept {
    return processes_[number]->frozen;
}
unsigned SimCentres::running_count() const noexcept {
    unsigned count = 0;
    for (unsigned i = 0; i < processes_.size(); ++i)
        if (running(i)) ++count;
    return count;
}

void SimCentres::tick() {
    for (unsigned i = 0; i < processes_.size(); ++i)
        if (running(i)) processes_[i]->central->tick();
}

}  // namespace nodex::replication
