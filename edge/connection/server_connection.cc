// ServerConnection: its public verbs. The work is in connection_read.cc, connection_write.cc,
// connection_close.cc.
#include "edge/connection/server_connection.h"

#include "edge/connection/connection_state.h"

namespace nodex {

ServerConnection::ServerConnection(Loop& loop, RequestHandler& handler, ServerConnectionOwner& owner) noexcept
    : state_(std::make_unique<State>(*this, loop, handler, owner)) {}

ServerConnection::~ServerConnection() {
    NX_ASSERT(state_->phase == Phase::idle);
}

void ServerConnection::set_keep_alive(Nanoseconds keep_alive) noexcept { state_->keep_alive = keep_alive; }

void ServerConnection::open(int fd, std::shared_ptr<tls::ServerContext> context,
                            bool secure_listener) noexcept {
    NX_ASSERT(state_->phase == Phase::idle);
    NX_ASSERT(secure_listener == (context != nullptr));
    state_->request = Request::none;
    state_->answer = Answer::none;
    state_->input = Input::parsing;
    state_->keep_open = true;
    state_->served = false;
    state_->draining = false;
    state_->peer_ended = false;
    state_->stall_watched = false;
    exchange = nullptr;
    state_->enter(Phase::handshaking);
    state_->channel.accept(fd, std::move(context));
}

void ServerConnection::drain() noexcept {
    if (state_->phase == Phase::idle || state_->phase == Phase::closing) return;
    state_->draining = true;
    // A handshake is let through and closed when it is done: aborting it would look like an attack to the
    // client.
    const bool nothing_asked =
        state_->answer == Answer::none && state_->held.empty() && state_->parser.between_requests();
    if (state_->phase == Phase::reading_head && nothing_asked) state_->close();
}

void ServerConnection::abandon() noexcept {
    if (state_->phase == Phase::idle || state_->phase == Phase::closing) return;
    state_->abandon({.code = ErrorCode::cancelled, .source = ErrorSource::self});
}

void ServerConnection::begin(const Response& response) noexcept {
    state_->begin(response);
}
void ServerConnection::write(Bytes body) noexcept {
    state_->write(body);
}
void ServerConnection::finish() noexcept {
    state_->finish();
}

void ServerConnection::cut() noexcept {
    if (state_->phase == Phase::idle || state_->phase == Phase::closing) return;
    state_->answer = Answer::none;
    exchange = nullptr;
    state_->abort({.code = ErrorCode::cancelled, .source = ErrorSource::self});
}

void ServerConnection::respond(int status, Bytes fields, Bytes body) noexcept {
    begin({.status = status, .fields = fields, .content_length = static_cast<std::int64_t>(body.size())});
    write(body);
    finish();
}

bool ServerConnection::writable() const noexcept {
    return state_->channel.writable();
}

ServerConnection::Phase ServerConnection::phase() const noexcept {
    return state_->phase;
}

std::string ServerConnection::peer_address() const {
    return state_->channel.peer_address();
}

const char* name(ServerConnection::Phase phase) noexcept {
    switch (phase) {
        case ServerConnection::Phase::idle: return "idle";
        case ServerConnection::Phase::handshaking: return "handshaking";
        case ServerConnection::Phase::reading_head: return "reading_head";
        case ServerConnection::Phase::reading_body: return "reading_body";
        case ServerConnection::Phase::responding: return "responding";
        case ServerConnection::Phase::closing: return "closing";
    }
    NX_ASSERT(false);
    return "";
}

}  // namespace nodex
