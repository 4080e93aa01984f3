// Reads a logged stream back into billed units.
#include "edge/gateway/recovery_meter.h"

#include "edge/api/chat_response.h"
#include "edge/gateway/estimate.h"
#include "edge/http/sse.h"

namespace nodex::gateway {
namespace {

class Meter final : public http::SseEvents {
  public:
    void server_event(const http::ServerEvent& event) noexcept override {
        ++events_;
        output_text_bytes_ += api::read_chat_chunk(json_, event.data, false).output_text_bytes;
    }
    [[nodiscard]] storage::Delivered result() const noexcept {
        const storage::Units units = counted_units(0, output_text_bytes_);
        return {units[static_cast<std::size_t>(storage::Unit::output)], events_};
    }

  private:
    api::JsonReader json_;
    std::uint64_t events_ = 0;
    std::uint64_t output_text_bytes_ = 0;
};

}  // namespace

storage::Delivered count_delivered(Bytes body, const storage::OpenRequest& request) {
    if (!request.stream) return storage::count_four_bytes_a_unit(body, request);
    Meter meter;
    http::SseParser parser;
    (void)parser.feed(
        body, meter);  // an event that the crash cut off is not counted, and never was delivered
    return meter.result();
}

}  // namespace nodex::gateway
