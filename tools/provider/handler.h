// Handler: the routes of the provider on one core.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "edge/api/chat_request.h"
#include "edge/api/json_body.h"
#include "edge/connection/server_connection.h"
#include "tools/provider/exchange.h"

namespace nodex::provider {

class Handler final : public RequestHandler, private Exchange::Owner {
  public:
    // Both are borrowed for the handler's life; `counters` is shared with other cores.
    Handler(Loop& loop, Counters& counters, const Defaults& defaults) noexcept
        : loop_(loop), counters_(counters), defaults_(defaults) {}

    // Cuts every running answer: the process stops.
    void cut_all() noexcept;

    std::uint64_t request_head(ServerConnection& connection, const http::RequestHead& head) noexcept override;
    void request_body(ServerConnection& connection, Bytes bytes) noexcept override;
    void request_complete(ServerConnection& connection) noexcept override;
    void request_refused(ServerConnection& connection, http::Refusal refusal) noexcept override;
    void response_writable(ServerConnection& connection) noexcept override;
    void request_abandoned(ServerConnection& connection, Error reason) noexcept override;
    void response_sent(ServerConnection&) noexcept override {}

  private:
    enum class Route : std::uint8_t { chat, models, health, calls, reset, unknown };
    // One request: its body while it arrives, then its answer. Reused.
    struct Slot final : Exchange {
        using Exchange::Exchange;
        Route route = Route::unknown;
        std::string body;
    };

    static Route route_of(const http::RequestHead& head) noexcept;
    Slot& take_slot();
    void give_back(Slot& slot) noexcept;
    void exchange_over(Exchange& exchange) noexcept override;
    void chat(ServerConnection& connection, Slot& slot);
    [[nodiscard]] AnswerPlan plan_of(const api::ChatRequest& request, std::string& complaint);

    Loop& loop_;
    Counters& counters_;
    const Defaults& defaults_;
    api::JsonReader reader_;
    std::vector<std::unique_ptr<Slot>> slots_;  // as many as there ever were requests at once
    std::vector<Slot*> free_;
};

}  // namespace nodex::provider
