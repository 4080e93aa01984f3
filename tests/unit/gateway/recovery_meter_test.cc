// What a cut answer's log is worth: text is billed, framing is not, and half an event is nothing.
#include "edge/gateway/recovery_meter.h"

#include <gtest/gtest.h>

#include "edge/http/sse.h"

namespace nodex::gateway {
namespace {

std::string chunk_with(Bytes text) {
    return "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":"
           "{\"content\":\"" +
           std::string(text) + "\"},\"finish_reason\":null}]}";
}

storage::OpenRequest streamed() {
    storage::OpenRequest request;
    request.stream = true;
    return request;
}

TEST(RecoveryMeter, BillsTextAndCountsWholeEvents) {
    std::string log;
    http::append_event(log, 1, {}, "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}");
    http::append_event(log, 2, {}, chunk_with("12345"));
    http::append_event(log, 3, {}, chunk_with("678"));
    const storage::Delivered delivered = count_delivered(log, streamed());
    EXPECT_EQ(delivered.events, 3u);
    EXPECT_EQ(delivered.output_units, 2u) << "eight octets of text, four a token";
}

TEST(RecoveryMeter, CountsTheSameWhereverTheLogIsCutInsideAnEvent) {
    std::string log;
    http::append_event(log, 1, {}, chunk_with("first"));
    const storage::Delivered whole = count_delivered(log, streamed());
    const std::size_t end = log.size();
    http::append_event(log, 2, {}, chunk_with("never delivered"));
    for (std::size_t size = end; size < log.size() - 1; ++size) {
        const storage::Delivered cut = count_delivered(Bytes(log).substr(0, size), streamed());
        EXPECT_EQ(cut.events, whole.events) << size;
        EXPECT_EQ(cut.output_units, whole.output_units) << size;
    }
    EXPECT_EQ(count_delivered(log, streamed()).events, 2u);
}

TEST(RecoveryMeter, AnErrorEventIsDeliveredAndNotBilled) {
    std::string log;
    http::append_event(log, 1, {}, chunk_with("abcd"));
    http::append_event(log, 2, {},
                       "{\"error\":{\"message\":\"a long explanation\",\"code\":\"upstream_lost\"}}");
    const storage::Delivered delivered = count_delivered(log, streamed());
    EXPECT_EQ(delivered.events, 2u);
    EXPECT_EQ(delivered.output_units, 1u);
}

TEST(RecoveryMeter, AnEmptyLogAndOneThatIsNoJsonAreWorthNothing) {
    EXPECT_EQ(count_delivered({}, streamed()).output_units, 0u);
    std::string log;
    http::append_event(log, 1, {}, "{broken");
    const storage::Delivered delivered = count_delivered(log, streamed());
    EXPECT_EQ(delivered.output_units, 0u);
    EXPECT_EQ(delivered.events, 1u);
}

TEST(RecoveryMeter, AWholeAnswerIsCountedByItsOctets) {
    storage::OpenRequest request;
    request.stream = false;
    EXPECT_EQ(count_delivered("12345678", request).output_units, 2u);
    EXPECT_EQ(count_delivered("123456789", request).output_units, 3u);
    EXPECT_EQ(count_delivered("123456789", request).events, 0u);
}

}  // namespace
}  // namespace nodex::gateway
