// BodyEraser: see the header.
#include "replication/body_eraser.h"

#include <algorithm>
#include <memory>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "storage/purge_thread.h"

namespace nodex::replication {

void BodyEraser::ordered(const std::vector<ReportReply::Erasure>& orders) {
    std::vector<ReportReply::Erasure> fresh;
    for (const ReportReply::Erasure& order : orders)
        if (std::find(erased_.begin(), erased_.end(), order.request) == erased_.end() &&
            erased_.size() + fresh.size() < limits::erasures_max)
            fresh.push_back(order);
    if (writing_ || fresh.empty()) return;
    writing_ = true;
    // What was here; an order for what is not is done as well, but nobody need hear of it.
    const auto destroyed = std::make_shared<std::vector<RequestId>>();
    commits_.call(
        [fresh, destroyed](storage::Journal&, storage::Store& store,
                           storage::Batch& batch) -> Status {
            for (const ReportReply::Erasure& order : fresh) {
                const std::size_t before = batch.count();
                for (const BodyId& body : {order.answer, order.sent})
                    if (const Status erased = storage::erase_body_key(body, store, batch); !erased)
                        return erased;
                if (batch.count() != before) destroyed->push_back(order.request);
            }
            return {};
        },
        [this, fresh, destroyed](const Status& status) {
            writing_ = false;
            if (!status) return;  // the order comes again
            for (const ReportReply::Erasure& order : fresh) erased_.push_back(order.request);
            for (const RequestId& request : *destroyed)
                log::info("body_destroyed", {{"request", to_hex(request.view())}});
            destroyed_count_ += destroyed->size();
        });
}

void BodyEraser::told(std::size_t count) {
    erased_.erase(erased_.begin(),
                  erased_.begin() + static_cast<std::ptrdiff_t>(std::min(count, erased_.size())));
}

}  // namespace nodex::replication
