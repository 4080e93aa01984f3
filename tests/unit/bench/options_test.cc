// URLs, bodies and the request that is sent.
#include "bench/load/options.h"

#include <gtest/gtest.h>

namespace nodex::bench {
namespace {

TEST(ParseUrl, TakesSchemeHostPortAndPath) {
    const auto full = parse_url("https://edge.example:8443/v1/chat/completions?x=1");
    ASSERT_TRUE(full.has_value());
    EXPECT_TRUE(full->tls);
    EXPECT_EQ(full->host, "edge.example");
    EXPECT_EQ(full->port, 8443);
    EXPECT_EQ(full->path, "/v1/chat/completions?x=1");
}

TEST(ParseUrl, KnowsTheSchemesPortsAndTheRootPath) {
    EXPECT_EQ(parse_url("https://a")->port, 443);
    EXPECT_EQ(parse_url("http://a")->port, 80);
    EXPECT_EQ(parse_url("http://a")->path, "/");
    EXPECT_EQ(parse_url("http://[::1]:81/x")->host, "::1");
    EXPECT_EQ(parse_url("http://[::1]:81/x")->port, 81);
}

TEST(ParseUrl, RefusesWhatCannotBeSent) {
    const char* refused[] = {"", "a.example/x", "ftp://a/x", "http:///x", "http://a:0/x", "http://a:65536/x",
                             "http://a:/x", "http://a:8x/x", "http://[::1/x", "http://a/x y", "http://a/\nB"};
    for (const char* url : refused) EXPECT_FALSE(parse_url(url).has_value()) << url;
}

TEST(ChatBody, IsJsonWhateverThePromptHolds) {
    EXPECT_EQ(chat_body({.model = "m", .prompt = "\"hi\"\n\xc3\xa9", .max_tokens = 5, .stream = true}),
              R"({"model":"m","messages":[{"role":"user","content":"\"hi\"\u000a)"
              "\xc3\xa9"
              R"("}],"max_tokens":5,"stream":true})");
}

Options example() {
    Options options;
    options.target = *parse_url("https://edge.example:8443/v1/x");
    options.header_lines = {"Authorization: Bearer k"};
    options.body = "{}";
    return options;
}

TEST(RequestTemplate, SendsHeadersAndBody) {
    const RequestTemplate request = request_template(example());
    EXPECT_EQ(request.message,
              "POST /v1/x HTTP/1.1\r\nHost: edge.example:8443\r\nUser-Agent: nodex-bench\r\n"
              "Authorization: Bearer k\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    EXPECT_EQ(request.key_offset, std::string::npos);
}

TEST(RequestTemplate, GetsWhenThereIsNoBody) {
    Options options = example();
    options.body.clear();
    const RequestTemplate request = request_template(options);
    EXPECT_TRUE(request.message.starts_with("GET /v1/x HTTP/1.1\r\n"));
    EXPECT_EQ(request.message.find("Content-"), std::string::npos);
}

TEST(RequestTemplate, LeavesRoomForOneKeyOfFixedSize) {
    Options options = example();
    options.unique_keys = true;
    RequestTemplate request = request_template(options);
    const std::string key = unique_key(~0ull, ~0ull);
    ASSERT_EQ(key.size(), unique_key_bytes);
    ASSERT_EQ(unique_key(0, 1).size(), unique_key_bytes);
    request.message.replace(request.key_offset, unique_key_bytes, key);
    EXPECT_NE(request.message.find("\r\nX-Idempotency-Key: " + key + "\r\n"), std::string::npos);
    EXPECT_NE(unique_key(1, 2), unique_key(2, 1));
}

}  // namespace
}  // namespace nodex::bench
