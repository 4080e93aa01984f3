// Two ends of a TLS connection joined in memory, for the tests of this folder.
#pragma once
#include <algorithm>
#include <memory>
#include <string>

#include "edge/tls/tls_session.h"

namespace nodex::tls::test {

// What each end has received and how its last feed ended.
struct End {
    std::unique_ptr<Session> session;
    std::string received;
    Status last;
};

struct SessionPair {
    End client;
    End server;

    SessionPair(std::shared_ptr<ClientContext> client_context, std::shared_ptr<ServerContext> server_context,
                const std::string& host) {
        client.session = Session::connect(std::move(client_context), host);
        server.session = Session::accept(std::move(server_context));
        client.last = client.session->feed({}, client.received);
    }

    // Moves ciphertext both ways, `piece` octets at a time, until neither end has any left.
    void exchange(std::size_t piece = static_cast<std::size_t>(-1)) {
        while (!client.session->output().empty() || !server.session->output().empty()) {
            deliver(client, server, piece);
            deliver(server, client, piece);
        }
    }
    [[nodiscard]] bool both_open() const {
        return client.session->phase() == Phase::open && server.session->phase() == Phase::open;
    }

  private:
    static void deliver(End& source, End& target, std::size_t piece) {
        std::string wire;
        wire.swap(source.session->output());
        for (std::size_t offset = 0; offset < wire.size();) {
            const std::size_t taken = std::min(piece, wire.size() - offset);
            Status fed = target.session->feed(Bytes(wire).substr(offset, taken), target.received);
            if (target.last) target.last = std::move(fed);  // the first error is the one that tells
            offset += taken;
        }
    }
};

}  // namespace nodex::tls::test
