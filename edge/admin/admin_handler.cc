// Carries operators' commands to the centre.
#include "edge/admin/admin_handler.h"

#include "edge/admin/body_path.h"
#include "edge/base/limits.h"
#include "edge/base/log.h"

namespace nodex::admin {
namespace {

constexpr Bytes json_fields = "content-type: application/json\r\n";
constexpr Bytes octet_fields = "content-type: application/octet-stream\r\n";

// Whether the method is one that this path has.
bool reads_body(const http::RequestHead& head) noexcept {
    return head.method == http::Method::get || head.method == http::Method::post;
}

std::string error_body(Bytes code, Bytes message) {
    return "{\"error\":{\"code\":\"" + std::string(code) + "\",\"message\":\"" +
           std::string(message) + "\"}}";
}

}  // namespace

// One command under way: its body, then the question to the centre.
class AdminHandler::Command {
  public:
    enum class Kind : std::uint8_t { free, status, command, sealed, body };

    void begin(ServerConnection& connection, Kind kind) noexcept {
        connection_ = &connection;
        kind_ = kind;
        body_.clear();
        connection.exchange = this;
    }
    [[nodiscard]] bool is_free() const noexcept {
        return kind_ == Kind::free && !query_.in_flight() && !fetch_.in_flight();
    }
    void wants(const BodyPath& path) noexcept {
        fetch_.request = path.request;
        fetch_.kind = path.kind;
    }

    void body(Bytes bytes) { body_.append(bytes); }

    void complete(AdminHandler& handler) noexcept {
        if (kind_ == Kind::status) return answer(200, handler.status_());
        if (kind_ == Kind::body) {
            fetch_.authority = std::move(body_);
            return handler.agent_.fetch(fetch_, handler.loop_.mailbox(),
                                        storage::when_done<&Command::fetched>(this));
        }
        query_.subject = kind_ == Kind::sealed ? "sealed" : "admin";
        query_.request = std::move(body_);
        handler.agent_.query(query_, handler.loop_.mailbox(),
                             storage::when_done<&Command::answered>(this));
    }
    void answer(int status, Bytes body) noexcept { answer(status, json_fields, body); }
    void answer(int status, Bytes fields, Bytes body) noexcept {
        ServerConnection* connection = connection_;
        end();
        connection->respond(status, fields, body);
    }
    // The connection is done with us, or has gone.
    void end() noexcept {
        if (connection_ != nullptr) connection_->exchange = nullptr;
        connection_ = nullptr;
        kind_ = Kind::free;
    }

  private:
    // Who read whose words is in the log, whatever came of it.
    void fetched() noexcept {
        replication::FetchedBody body = std::move(fetch_.body);
        fetch_.body = {};
        fetch_.authority.clear();
        const BodyAnswer told = answer_of(body.outcome);
        log::info("body_read",
                  {{"request", to_hex(fetch_.request.view())},
                   {"kind", fetch_.kind == replication::BodyKind::answer ? "answer" : "request"},
                   {"outcome", told.code},
                   {"pop", raw(body.holder)}});
        if (connection_ == nullptr) return;
        if (told.status != 200) return answer(told.status, error_body(told.code, told.message));
        answer(200,
               "content-type: application/octet-stream\r\nx-nodex-pop: " +
                   std::to_string(raw(body.holder)) +
                   "\r\nx-nodex-complete: " + (body.complete ? "true" : "false") + "\r\n",
               body.text);
    }
    void answered() noexcept {
        if (connection_ == nullptr) return;
        if (query_.status == 0 || query_.status == 503)
            return answer(
                503, error_body("unavailable", "The central node does not answer; try again."));
        const bool is_sealed = kind_ == Kind::sealed && query_.status == 200;
        answer(query_.status, is_sealed ? octet_fields : json_fields, query_.reply);
    }

    ServerConnection* connection_ = nullptr;  // null once it has gone
    Kind kind_ = Kind::free;
    std::string body_;
    replication::CentralQuery query_;
    replication::BodyFetch fetch_;
};

AdminHandler::AdminHandler(Loop& loop, replication::Agent& agent,
                           std::function<std::string()> status, bool reads_bodies)
    : loop_(loop), agent_(agent), status_(std::move(status)), reads_bodies_(reads_bodies) {}

AdminHandler::~AdminHandler() = default;

AdminHandler::Command* AdminHandler::take_command() noexcept {
    for (const auto& command : commands_)
        if (command->is_free()) return command.get();
    if (commands_.size() >= limits::admin_commands_max) return nullptr;
    commands_.push_back(std::make_unique<Command>());
    return commands_.back().get();
}

std::uint64_t AdminHandler::request_head(ServerConnection& connection,
                                         const http::RequestHead& head) noexcept {
    const bool is_command = head.method == http::Method::post && head.path == "/admin";
    const bool is_sealed = head.method == http::Method::post && head.path == "/admin/sealed";
    const bool is_status = head.method == http::Method::get && head.path == "/admin/status";
    const std::optional<BodyPath> body_path =
        reads_body(head) ? parse_body_path(head.path) : std::nullopt;
    Command* command = take_command();
    if (command == nullptr) {
        connection.respond(503, json_fields,
                           error_body("overloaded", "Too many commands at once; try again."));
        return 0;
    }
    if (!is_command && !is_sealed && !is_status && !body_path) {
        connection.respond(404, json_fields,
                           error_body("not_found",
                                      "POST /admin, POST /admin/sealed, GET /admin/status, or GET "
                                      "or POST /admin/bodies/REQUEST_ID/answer|request."));
        return limits::admin_command_bytes_max;
    }
    if (body_path && !reads_bodies_) {
        connection.respond(403, json_fields,
                           error_body("forbidden", "node.admin_reads_bodies is off at this node."));
        return limits::admin_command_bytes_max;
    }
    if (body_path) command->wants(*body_path);
    command->begin(connection, body_path    ? Command::Kind::body
                               : is_command ? Command::Kind::command
                               : is_sealed  ? Command::Kind::sealed
                                            : Command::Kind::status);
    return limits::admin_command_bytes_max;
}

void AdminHandler::request_body(ServerConnection& connection, Bytes bytes) noexcept {
    if (connection.exchange != nullptr) static_cast<Command*>(connection.exchange)->body(bytes);
}

void AdminHandler::request_complete(ServerConnection& connection) noexcept {
    if (connection.exchange != nullptr) static_cast<Command*>(connection.exchange)->complete(*this);
}

void AdminHandler::request_refused(ServerConnection& connection, http::Refusal refusal) noexcept {
    connection.respond(http::status_of(refusal), json_fields,
                       error_body("malformed", "The request is not valid HTTP/1.1."));
}

void AdminHandler::request_abandoned(ServerConnection& connection, Error) noexcept {
    if (connection.exchange != nullptr) static_cast<Command*>(connection.exchange)->end();
}

}  // namespace nodex::admin
