// What a provider gets to see of a request: exactly this.
#include "edge/upstream/request_head.h"

#include <gtest/gtest.h>

namespace nodex::upstream {
namespace {

EndpointConfig example() {
    EndpointConfig endpoint;
    endpoint.host = "api.example.com";
    endpoint.base_path = "/v1";
    endpoint.authorization = "Bearer sk-test";
    return endpoint;
}

TEST(RequestHead, IsMadeFromTheConfigurationAlone) {
    std::string message;
    append_request(message, example(), {.path = "/chat/completions", .body = "{}", .request_id = "req_1"});
    EXPECT_EQ(message,
              "POST /v1/chat/completions HTTP/1.1\r\n"
              "Host: api.example.com\r\n"
              "Authorization: Bearer sk-test\r\n"
              "Content-Type: application/json\r\n"
              "Accept: application/json\r\n"
              "User-Agent: nodex/" NODEX_VERSION "\r\n"
              "X-Request-Id: req_1\r\n"
              "Content-Length: 2\r\n"
              "\r\n"
              "{}");
}

TEST(RequestHead, StreamsAskForServerSentEvents) {
    std::string message;
    append_request(message, example(), {.path = "/x", .body = "{}", .stream = true});
    EXPECT_NE(message.find("\r\nAccept: text/event-stream\r\n"), std::string::npos);
    EXPECT_EQ(message.find("X-Request-Id"), std::string::npos);
}

TEST(RequestHead, SendsNoAuthorizationWhereNoneIsConfigured) {
    EndpointConfig endpoint = example();
    endpoint.authorization.clear();
    std::string message;
    append_request(message, endpoint, {.path = "/x", .body = ""});
    EXPECT_EQ(message.find("Authorization"), std::string::npos);
    EXPECT_NE(message.find("\r\nContent-Length: 0\r\n\r\n"), std::string::npos);
}

TEST(RequestHead, HostNamesThePortOnlyWhereItIsNotTheSchemes) {
    EndpointConfig endpoint = example();
    EXPECT_EQ(host_field(endpoint), "api.example.com");
    endpoint.port = 8443;
    EXPECT_EQ(host_field(endpoint), "api.example.com:8443");
    endpoint.tls = false;
    endpoint.port = 80;
    EXPECT_EQ(host_field(endpoint), "api.example.com");
    endpoint.port = 443;
    EXPECT_EQ(host_field(endpoint), "api.example.com:443");
    endpoint.host = "::1";
    EXPECT_EQ(host_field(endpoint), "[::1]:443");
}

}  // namespace
}  // namespace nodex::upstream
