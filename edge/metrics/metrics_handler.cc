// MetricsHandler: see the header.
#include "edge/metrics/metrics_handler.h"

namespace nodex::metrics {

MetricsHandler::MetricsHandler(std::function<std::string()> text, std::function<bool()> ready)
    : text_(std::move(text)), ready_(std::move(ready)) {}

std::uint64_t MetricsHandler::request_head(ServerConnection& connection,
                                           const http::RequestHead& head) noexcept {
    if (head.path == "/metrics")
        connection.respond(200, "content-type: text/plain; version=0.0.4; charset=utf-8\r\n",
                           text_());
    else if (head.path == "/healthz")
        connection.respond(200, "content-type: application/json\r\n", "{\"status\":\"ok\"}");
    else if (head.path == "/readyz")
        connection.respond(ready_() ? 200 : 503, "content-type: application/json\r\n",
                           ready_() ? "{\"status\":\"ready\"}" : "{\"status\":\"not ready\"}");
    else
        connection.respond(404, "content-type: text/plain\r\n",
                           "GET /metrics, /healthz or /readyz\n");
    return 0;
}

void MetricsHandler::request_refused(ServerConnection& connection, http::Refusal refusal) noexcept {
    connection.respond(http::status_of(refusal), "content-type: text/plain\r\n",
                       "not a valid HTTP/1.1 request\n");
}

}  // namespace nodex::metrics
