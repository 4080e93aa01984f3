// InprocLink: see the header. Each message is a mail of its own that deletes itself when it has
// run; it is posted under a lock that also guards whether the other end is still there.
#include "replication/transport_inproc.h"

#include <map>
#include <mutex>

#include "edge/base/limits.h"

namespace nodex::replication {
namespace {

// Work for the other thread. Owns itself from post() until it has run.
struct Task final : Mail {
    explicit Task(std::function<void()> task) : Mail(&Task::run), work(std::move(task)) {}
    static void run(Mail& mail) noexcept {
        const std::unique_ptr<Task> self(&static_cast<Task&>(mail));
        self->work();
    }
    std::function<void()> work;
};

// One end's mailbox, while that end is there.
class Door {
  public:
    void set(Mailbox* mailbox) {
        const std::lock_guard lock(mutex_);
        mailbox_ = mailbox;
    }
    // False: nobody is there.
    bool post(std::function<void()> work) {
        const std::lock_guard lock(mutex_);
        if (mailbox_ == nullptr) return false;
        mailbox_->post(*std::make_unique<Task>(std::move(work)).release());
        return true;
    }

  private:
    std::mutex mutex_;
    Mailbox* mailbox_ = nullptr;
};

Error central_error(ErrorCode code) noexcept {
    return {code, ErrorSource::central, true, 0};
}

}  // namespace

struct InprocLink::State final : Transport {
    struct Centre final : TransportServer {
        explicit Centre(State& state) : link(state) {}
        void attach(Mailbox* mailbox) override { link.centre_door.set(mailbox); }
        void serve(Bytes subject, RequestHandler handler) override {
            handlers.insert_or_assign(std::string(subject), std::move(handler));
        }
        void publish(Bytes subject, std::string payload) override;
        State& link;
        std::map<std::string, RequestHandler, std::less<>>
            handlers;  // centre's thread, or before it runs
    };
    struct Pending {
        Nanoseconds deadline = 0;
        ReplyHandler handler;
    };

    explicit State(Clock& time) : clock(time), centre(*this) {}

    void attach(Mailbox* mailbox) override {
        pop_door.set(mailbox);
        attached = mailbox != nullptr;
        if (!attached) pending.clear();
    }
    void request(Bytes subject, std::string payload, Nanoseconds timeout_ns,
                 ReplyHandler handler) override;
    void publish(Bytes subject, std::string payload) override;
    void subscribe(Bytes subject, MessageHandler handler) override {
        subscriptions.insert_or_assign(std::string(subject), std::move(handler));
    }
    void expire() override;
    void finish(std::uint64_t number, Result<std::string> reply);
    void serve_request(const std::string& subject, const std::string& payload,
                       std::uint64_t number);

    Clock& clock;
    Door pop_door;
    Door centre_door;
    Centre centre;
    // The POP's thread only.
    bool attached = false;
    std::uint64_t last_number = 0;
    std::map<std::uint64_t, Pending> pending;
    std::map<std::string, MessageHandler, std::less<>> subscriptions;
};

void InprocLink::State::request(Bytes subject, std::string payload, Nanoseconds timeout_ns,
                                ReplyHandler handler) {
    NX_ASSERT(attached);
    NX_ASSERT(payload.size() <= limits::message_bytes_max + 64);  // and its envelope
    const std::uint64_t number = ++last_number;
    const bool full = pending.size() >= limits::link_requests_max;
    pending.emplace(number, Pending{clock.now_ns() + timeout_ns, std::move(handler)});
    const bool sent = !full && centre_door.post([this, number, where = std::string(subject),
                                                 text = std::move(payload)] {
        serve_request(where, text, number);
    });
    // Never from inside request(): the caller may not be ready for its answer.
    if (!sent)
        pop_door.post([this, number] { finish(number, central_error(ErrorCode::unavailable)); });
}

void InprocLink::State::serve_request(const std::string& subject, const std::string& payload,
                                      std::uint64_t number) {
    const auto found = centre.handlers.find(subject);
    if (found == centre.handlers.end()) {
        pop_door.post([this, number] { finish(number, central_error(ErrorCode::unavailable)); });
        return;
    }
    found->second(subject, payload, [this, number](std::string reply) {
        pop_door.post(
            [this, number, text = std::move(reply)]() mutable { finish(number, std::move(text)); });
    });
}

void InprocLink::State::finish(std::uint64_t number, Result<std::string> reply) {
    const auto found = pending.find(number);
    if (found == pending.end()) return;  // its deadline was first
    const ReplyHandler handler = std::move(found->second.handler);
    pending.erase(found);
    handler(std::move(reply));
}

void InprocLink::State::expire() {
    const Nanoseconds now = clock.now_ns();
    std::vector<std::uint64_t> late;
    for (const auto& [number, request] : pending)
        if (request.deadline <= now) late.push_back(number);
    for (const std::uint64_t number : late) finish(number, central_error(ErrorCode::timed_out));
}

// POPs publish nothing that the centre listens to; the subject is there for other POPs.
void InprocLink::State::publish(Bytes subject, std::string payload) {
    centre.publish(subject, std::move(payload));
}

void InprocLink::State::Centre::publish(Bytes subject, std::string payload) {
    link.pop_door.post([this, where = std::string(subject), text = std::move(payload)] {
        const auto found = link.subscriptions.find(where);
        if (found != link.subscriptions.end()) found->second(where, text);
    });
}

InprocLink::InprocLink(Clock& clock) : state_(std::make_unique<State>(clock)) {}
InprocLink::~InprocLink() = default;
Transport& InprocLink::pop() noexcept {
    return *state_;
}
TransportServer& InprocLink::centre() noexcept {
    return state_->centre;
}

}  // namespace nodex::replication
