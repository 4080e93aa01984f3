// Heads and chunks as they leave us.
#include "edge/http/response_writer.h"

#include <gtest/gtest.h>

#include "edge/http/http_date.h"

namespace nodex::http {
namespace {

TEST(ResponseWriter, WritesResponseHeadWithDate) {
    std::string text;
    HeadWriter::response(text, 200)
        .field("x-a", "b")
        .field("content-length", std::uint64_t{18'446'744'073'709'551'615u})
        .end();
    EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\ndate: ")) << text;
    EXPECT_TRUE(text.ends_with(" GMT\r\nx-a: b\r\ncontent-length: 18446744073709551615\r\n\r\n")) << text;
}

TEST(ResponseWriter, WritesInterimHeadWithoutDate) {
    std::string text;
    HeadWriter::response(text, 100).end();
    EXPECT_EQ(text, "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST(ResponseWriter, WritesRequestHead) {
    std::string text = "kept|";
    HeadWriter::request(text, "POST", "/v1/x?y=z").field("host", "a").end();
    EXPECT_EQ(text, "kept|POST /v1/x?y=z HTTP/1.1\r\nhost: a\r\n\r\n");
}

TEST(ResponseWriter, WritesChunks) {
    std::string text;
    append_chunk(text, std::string(26, 'c'));
    append_last_chunk(text);
    EXPECT_EQ(text, "1a\r\n" + std::string(26, 'c') + "\r\n0\r\n\r\n");
}

TEST(ResponseWriterDeathTest, StopsAtValueThatWouldSplitResponse) {
    std::string text;
    EXPECT_DEATH(HeadWriter::response(text, 200).field("x", "a\r\nset-cookie: b"), "is_field_value");
    EXPECT_DEATH(append_chunk(text, ""), "empty");
}

TEST(HttpDate, FollowsRfc9110) {
    EXPECT_EQ(http_date(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(http_date(951'782'399), "Mon, 28 Feb 2000 23:59:59 GMT");
    EXPECT_EQ(http_date(951'782'400), "Tue, 29 Feb 2000 00:00:00 GMT");
}

}  // namespace
}  // namespace nodex::http
