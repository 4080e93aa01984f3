// The operator's interface: HTTP over a Unix socket (mode 0600), served by core 0.
//   POST /admin          {"command":"account.create","args":{...}} -> {"result":{...}} |
//                        {"error":{"code","message"}}
//   POST /admin/sealed   a command that an operator sealed -> 200 and the centre's sealed reply |
//                        {"error":{"code","message"}}
//   GET  /admin/status   this node as JSON
//   GET  /admin/bodies/REQUEST_ID/answer|request   the body's octets, from whichever POP has them;
//   POST the same, with an operator's sealed `body.get` of it
// Commands are the centre's (replication/central): this only carries them, so they work from any
// POP. Sealed ones (central/operator_seal.h) it cannot read, alter or repeat.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/connection/server_connection.h"
#include "replication/agent.h"

namespace nodex::admin {

class AdminHandler final : public RequestHandler {
  public:
    // `status` makes the body of GET /admin/status; called on the loop. `reads_bodies`: the
    // operator of this node may read what customers sent and were sent.
    AdminHandler(Loop& loop, replication::Agent& agent, std::function<std::string()> status,
                 bool reads_bodies);
    ~AdminHandler();

    std::uint64_t request_head(ServerConnection& connection,
                               const http::RequestHead& head) noexcept override;
    void request_body(ServerConnection& connection, Bytes bytes) noexcept override;
    void request_complete(ServerConnection& connection) noexcept override;
    void request_refused(ServerConnection& connection, http::Refusal refusal) noexcept override;
    void response_writable(ServerConnection&) noexcept override {}
    void request_abandoned(ServerConnection& connection, Error reason) noexcept override;
    void response_sent(ServerConnection&) noexcept override {}

  private:
    class Command;
    Command* take_command() noexcept;

    Loop& loop_;
    replication::Agent& agent_;
    std::function<std::string()> status_;
    const bool reads_bodies_;
    std::vector<std::unique_ptr<Command>> commands_;  // at most limits::admin_commands_max, reused
};

}  // namespace nodex::admin
