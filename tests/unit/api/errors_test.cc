// Errors: the table is complete and the envelope is legal JSON whatever goes in.
#include "edge/api/errors.h"

#include <gtest/gtest.h>

#include <set>

#include "edge/api/json_body.h"
#include "edge/api/json_text.h"

namespace nodex::api {
namespace {

TEST(Errors, EveryCodeHasItsOwnNameAndASentenceAndAnErrorStatus) {
    std::set<std::string> names;
    for (int index = 0; index < static_cast<int>(Code::count); ++index) {
        const Code code = static_cast<Code>(index);
        EXPECT_TRUE(names.insert(name(code)).second) << name(code);
        EXPECT_GE(status_of(code), 400) << name(code);
        EXPECT_LE(status_of(code), 504) << name(code);
        const Bytes message = default_message(code);
        ASSERT_FALSE(message.empty());
        EXPECT_EQ(message.back(), '.') << message;
        EXPECT_FALSE(Bytes(type_of(code)).empty());
    }
}

TEST(Errors, StatusesAreThoseOfTheProductPage) {
    const struct {
        const char* name;
        int status;
    } expected[] = {
        {"unauthenticated", 401},
        {"invalid_api_key", 401},
        {"key_expired", 403},
        {"key_revoked", 403},
        {"key_suspended", 403},
        {"account_blocked", 403},
        {"account_unavailable", 503},
        {"model_forbidden", 403},
        {"model_not_found", 404},
        {"invalid_request_error", 400},
        {"idempotency_key_required", 400},
        {"idempotency_key_reused", 422},
        {"idempotency_key_in_use", 409},
        {"claim_unavailable", 503},
        {"insufficient_balance", 402},
        {"insufficient_quota", 403},
        {"rate_limited", 429},
        {"body_too_large", 413},
        {"header_too_large", 431},
        {"upstream_unavailable", 503},
        {"upstream_timeout", 504},
        {"gateway_error", 502},
        {"overloaded", 503},
        {"internal_error", 500},
        {"invalid_last_event_id", 400},
        {"stream_expired", 410},
        {"position_lost", 503},
    };
    for (const auto& row : expected) {
        bool found = false;
        for (int index = 0; index < static_cast<int>(Code::count); ++index) {
            const Code code = static_cast<Code>(index);
            if (Bytes(name(code)) != row.name) continue;
            found = true;
            EXPECT_EQ(status_of(code), row.status) << row.name;
        }
        EXPECT_TRUE(found) << row.name;
    }
}

TEST(Errors, NothingIsRetriedThatCannotSucceed) {
    for (int index = 0; index < static_cast<int>(Code::count); ++index) {
        const Code code = static_cast<Code>(index);
        if (!should_retry(code)) continue;
        EXPECT_TRUE(status_of(code) >= 500 || status_of(code) == 429 || status_of(code) == 409 ||
                    status_of(code) == 408) << name(code);
    }
    EXPECT_TRUE(should_retry(Code::rate_limited));
    EXPECT_FALSE(should_retry(Code::insufficient_balance));
    EXPECT_FALSE(should_retry(Code::upstream_lost));
}

TEST(Errors, TheEnvelopeKeepsAllKeysAlsoWhenNull) {
    EXPECT_EQ(error_body(ApiError{Code::invalid_request_error, "Bad.", "", -1}, "req_1"),
              R"({"error":{"message":"Bad.","type":"invalid_request_error","param":null,)"
              R"("code":"invalid_request_error","request_id":"req_1"}})");
    EXPECT_EQ(error_body(ApiError{Code::model_not_found, "No \"x\".\n", "model", -1}, ""),
              R"({"error":{"message":"No \"x\".\n","type":"invalid_request_error","param":"model",)"
              R"("code":"model_not_found","request_id":null}})");
}

TEST(Errors, AnEmptyMessageBecomesTheDefaultOne) {
    const std::string body = error_body(ApiError{Code::rate_limited, {}, {}, 1000}, "r");
    EXPECT_NE(body.find(default_message(Code::rate_limited)), std::string::npos);
}

TEST(JsonText, EscapesWhatJsonReserves) {
    const struct {
        Bytes text, json;
    } rows[] = {
        {"plain", R"("plain")"},
        {"", R"("")"},
        {"\"\\/", R"("\"\\/")"},
        {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
        {Bytes("\0\x1f\x7f", 3), R"("\u0000\u001f\u007f")"},
        {"gr\xc3\xbc\xc3\x9f \xe6\xb1\x89 \xf0\x9f\x98\x80",
         "\"gr\xc3\xbc\xc3\x9f \xe6\xb1\x89 \xf0\x9f\x98\x80\""},
        {"\xff", "\"\xef\xbf\xbd\""},                  // never a lead octet
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},  // overlong '/'
        {"\xe0\x80\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},                  // a surrogate
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},  // above U+10FFFF
        {"a\xe6\xb1", "\"a\xef\xbf\xbd\xef\xbf\xbd\""},  // cut inside a character
    };
    for (const auto& row : rows) {
        std::string json;
        append_json_string(json, row.text);
        EXPECT_EQ(json, row.json);
    }
}

TEST(JsonText, EveryOctetPairMakesALegalDocument) {
    JsonReader reader;
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            const char text[2] = {static_cast<char>(first), static_cast<char>(second)};
            std::string json = "{\"a\":";
            append_json_string(json, Bytes(text, 2));
            json += '}';
            ASSERT_FALSE(check_json(reader, json)) << first << ' ' << second;
        }
    }
}

}  // namespace
}  // namespace nodex::api
