// JSON admission: what is refused, at which limit exactly, and what a fingerprint depends on.
#include "edge/api/json_body.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "edge/api/json_text.h"
#include "edge/base/limits.h"
#include "edge/base/random.h"

namespace nodex::api {
namespace {

std::string nested(std::size_t depth) {  // the object itself is the first level
    return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

std::string object_of_keys(std::size_t count) {
    std::string text = "{";
    for (std::size_t index = 0; index < count; ++index) {
        if (index > 0) text += ',';
        text += "\"k" + std::to_string(index) + "\":0";
    }
    return text + "}";
}

bool accepts(Bytes body) {
    JsonReader reader;
    return !check_json(reader, body);
}

std::string reason(Bytes body) {
    JsonReader reader;
    const std::optional<ApiError> error = check_json(reader, body);
    return error ? error->message : "accepted";
}

TEST(JsonAdmission, RefusesWhatIsNotOneJsonObject) {
    const Bytes refused[] = {"",
                             " ",
                             "{",
                             "}",
                             "[]",
                             "null",
                             "1",
                             "\"a\"",
                             "{} {}",
                             "{}x",
                             "{}]",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1,}",
                             "{a:1}",
                             "{'a':1}",
                             "{\"a\":01}",
                             "{\"a\":+1}",
                             "{\"a\":.5}",
                             "{\"a\":NaN}",
                             "{\"a\":tru}",
                             "{\"a\":\"\n\"}",
                             "{\"a\":\"\\x\"}",
                             "{\"a\":\"\\ud800\"}",
                             "{\"a\":1 2}",
                             "{\"a\" 1}",
                             "{,}",
                             "\xef\xbb\xbf{}",
                             "{\"a\":1}//",
                             "{\"a\":[1,]}"};
    for (const Bytes body : refused) EXPECT_FALSE(accepts(body)) << body;
    EXPECT_FALSE(accepts(Bytes("{}\0", 3)));
    for (const Bytes body : {"{}", " {} ", "{\"a\":-0}", "{\"a\":1e3}", "{\"\":\"\\u0000\"}", "\r\n{\t}\n"})
        EXPECT_TRUE(accepts(body)) << body;
}

TEST(JsonAdmission, NamesTheReason) {
    EXPECT_NE(reason("").find("empty"), std::string::npos);
    EXPECT_NE(reason("[1]").find("must be a JSON object"), std::string::npos);
    EXPECT_NE(reason("{\"a\":1").find("not valid JSON"), std::string::npos);
    EXPECT_NE(reason("{\"a\":\"\xff\"}").find("UTF-8"), std::string::npos);
    EXPECT_NE(reason("{\"a\":1,\"a\":1}").find("same key twice"), std::string::npos);
}

TEST(JsonAdmission, DepthEndsAt64) {
    EXPECT_TRUE(accepts(nested(limits::json_depth_max - 1)));
    EXPECT_TRUE(accepts(nested(limits::json_depth_max)));
    EXPECT_FALSE(accepts(nested(limits::json_depth_max + 1)));
    EXPECT_FALSE(accepts(nested(limits::json_depth_max + 2)));
    EXPECT_FALSE(accepts(nested(100'000)));
    EXPECT_NE(reason(nested(limits::json_depth_max + 1)).find("64 levels"), std::string::npos);
}

TEST(JsonAdmission, ALargeBodyDoesNotLiftTheDepthLimit) {
    JsonReader reader;
    const std::string large = "{\"a\":\"" + std::string(1 << 20, 'x') + "\"}";
    EXPECT_FALSE(check_json(reader, large));
    EXPECT_TRUE(check_json(reader, nested(limits::json_depth_max + 1)));
    EXPECT_FALSE(check_json(reader, nested(limits::json_depth_max)));
}

TEST(JsonAdmission, AnObjectHasAtMost10000Keys) {
    EXPECT_TRUE(accepts(object_of_keys(limits::json_object_keys_max - 1)));
    EXPECT_TRUE(accepts(object_of_keys(limits::json_object_keys_max)));
    EXPECT_FALSE(accepts(object_of_keys(limits::json_object_keys_max + 1)));
    EXPECT_FALSE(accepts("{\"deep\":[" + object_of_keys(limits::json_object_keys_max + 1) + "]}"));
}

TEST(JsonAdmission, RefusesDuplicateKeysAnywhereAndHoweverWritten) {
    EXPECT_FALSE(accepts(R"({"a":1,"b":2,"a":3})"));
    EXPECT_FALSE(accepts(R"({"x":[{"y":{"a":1,"a":1}}]})"));
    EXPECT_FALSE(accepts(R"({"a":1,"\u0061":1})"));
    EXPECT_TRUE(accepts(R"({"a":{"a":{"a":1}},"A":1})"));
    for (const std::size_t count : {7u, 8u, 9u, 100u}) {  // both sides of the switch to sorting
        std::string text = object_of_keys(count);
        EXPECT_TRUE(accepts(text));
        text.insert(text.size() - 1, ",\"k0\":1");
        EXPECT_FALSE(accepts(text)) << count;
    }
}

TEST(JsonAdmission, ANumberHasAtMost128Bytes) {
    const auto number = [](std::size_t size) { return "{\"a\":0." + std::string(size - 2, '1') + " \n }"; };
    EXPECT_TRUE(accepts(number(limits::json_number_bytes_max - 1)));
    EXPECT_TRUE(accepts(number(limits::json_number_bytes_max)));
    EXPECT_FALSE(accepts(number(limits::json_number_bytes_max + 1)));
    EXPECT_TRUE(accepts("{\"a\":1" + std::string(500, ' ') + "}"));  // white space is not part of it
    EXPECT_FALSE(accepts("{\"a\":18446744073709551616}"));
    EXPECT_FALSE(accepts("{\"a\":1e999}"));
    EXPECT_TRUE(accepts("{\"a\":18446744073709551615}"));
}

// --- fingerprints ---

Fingerprint of(Bytes body, Bytes method = "POST", Bytes path = "/v1/chat/completions") {
    JsonReader reader;
    EXPECT_FALSE(check_json(reader, body)) << body;
    return fingerprint(reader, method, path);
}

TEST(FingerprintOfJson, IgnoresKeyOrderWhiteSpaceAndEscapes) {
    const Fingerprint plain = of(R"({"a":1,"b":[true,null,{"c":"x","d":2.5}]})");
    EXPECT_EQ(plain, of("{ \"b\" : [ true, null, {\"d\":2.5, \"c\":\"x\"} ],\n\t\"a\":1 }\n"));
    EXPECT_EQ(plain, of(R"({"\u0061":1,"b":[true,null,{"c":"\u0078","d":25e-1}]})"));
}

TEST(FingerprintOfJson, SeparatesEveryDifferentValue) {
    const std::vector<Bytes> bodies = {
        "{}", R"({"a":1})", R"({"a":2})", R"({"a":-1})", R"({"a":"1"})", R"({"a":true})", R"({"a":false})",
        R"({"a":null})", R"({"a":[]})", R"({"a":{}})", R"({"a":[1]})", R"({"a":[[1]]})", R"({"a":[1,2]})",
        R"({"a":[2,1]})", R"({"a":[12]})", R"({"a":["1","2"]})", R"({"a":["12"]})", R"({"a":["12",""]})",
        R"({"a":["","12"]})", R"({"a":{"b":1}})", R"({"b":{"a":1}})", R"({"a":1,"b":1})", R"({"ab":1})",
        R"({"a":1.5})", R"({"a":18446744073709551615})", R"({"a":{"b":1},"c":2})", R"({"a":{"b":1,"c":2}})",
        R"({"a":"s"})", R"({"a":"]"})", R"({"a":"\u0000"})", R"({"a":""})", R"({"A":1})",
    };
    std::vector<Fingerprint> seen;
    for (const Bytes body : bodies) seen.push_back(of(body));
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

TEST(FingerprintOfJson, DependsOnMethodAndPathAndTheirBorder) {
    EXPECT_NE(of("{}"), of("{}", "GET"));
    EXPECT_NE(of("{}"), of("{}", "POST", "/v1/responses"));
    EXPECT_NE(of("{}", "POST", "x"), of("{}", "POS", "Tx"));
}

TEST(FingerprintOfJson,
     IsStableAcrossReleases) {  // stored for 24 h: a change of it would refuse honest retries
    EXPECT_EQ(to_hex(of(R"({"model":"m","n":1,"x":[0.5,null]})").view()),
              "2de19fd0e1ef80446aa69d26c61936245e86843d564c1ae56e25e04f043306ac");
}

TEST(FingerprintOfJson, HashesStringsLargerThanItsBuffer) {
    const std::string large(200'000, 'x');
    std::string other = large;
    other[150'000] = 'y';
    const Fingerprint first = of("{\"b\":\"" + large + "\",\"a\":1}");
    EXPECT_EQ(first, of("{\"a\":1,\"b\":\"" + large + "\"}"));
    EXPECT_NE(first, of("{\"a\":1,\"b\":\"" + other + "\"}"));
}

// A random JSON value that is written twice: once as it comes, once with all keys shuffled and spaces put in.
struct Pair {
    std::string plain, shuffled;
};

void append_random(Random& random, int depth, Pair& pair);

void append_object(Random& random, int depth, Pair& pair) {
    std::vector<Pair> fields;
    const std::size_t count = random.below(12);
    for (std::size_t index = 0; index < count; ++index) {
        Pair field;
        append_json_string(field.plain, "k" + std::to_string(index));
        field.shuffled = field.plain;
        field.plain += ':';
        field.shuffled += " :\n";
        append_random(random, depth + 1, field);
        fields.push_back(std::move(field));
    }
    const auto join = [&](std::string& target, std::string Pair::*side) {
        target += '{';
        for (std::size_t index = 0; index < fields.size(); ++index) {
            if (index > 0) target += ',';
            target += fields[index].*side;
        }
        target += '}';
    };
    join(pair.plain, &Pair::plain);
    for (std::size_t index = fields.size(); index > 1; --index)
        std::swap(fields[index - 1], fields[random.below(index)]);
    join(pair.shuffled, &Pair::shuffled);
}

void append_random(Random& random, int depth, Pair& pair) {
    const std::uint64_t kind = random.below(depth < 5 ? 8 : 6);
    if (kind == 6) return append_object(random, depth, pair);
    if (kind == 7) {
        pair.plain += '[';
        pair.shuffled += "[ ";
        const std::size_t count = random.below(6);
        for (std::size_t index = 0; index < count; ++index) {
            if (index > 0) pair.plain += ',', pair.shuffled += " ,";
            append_random(random, depth + 1, pair);
        }
        pair.plain += ']';
        pair.shuffled += "\t]";
        return;
    }
    std::string scalar;
    if (kind == 0) scalar = "null";
    if (kind == 1) scalar = random.below(2) == 0 ? "true" : "false";
    if (kind == 2) scalar = std::to_string(static_cast<std::int64_t>(random.next_u64()));
    if (kind == 3) scalar = std::to_string(random.next_u64());
    if (kind == 4) scalar = std::to_string(static_cast<double>(random.below(1'000'000)) / 64.0);
    if (kind == 5) {
        char octets[5];
        random.fill(octets, sizeof octets);
        append_json_string(scalar, Bytes(octets, sizeof octets));
    }
    pair.plain += scalar;
    pair.shuffled += scalar;
}

TEST(FingerprintOfJson, ShuffledKeysGiveTheSameForRandomDocuments) {
    SeededRandom random(20261121);
    JsonReader reader;
    for (int round = 0; round < 2'000; ++round) {
        Pair pair;
        append_object(random, 0, pair);
        ASSERT_FALSE(check_json(reader, pair.plain)) << pair.plain;
        const Fingerprint plain = fingerprint(reader, "POST", "/");
        ASSERT_FALSE(check_json(reader, pair.shuffled)) << pair.shuffled;
        ASSERT_EQ(plain, fingerprint(reader, "POST", "/")) << pair.plain << '\n' << pair.shuffled;
        pair.shuffled.insert(pair.shuffled.rfind('}'), pair.shuffled == "{}" ? "\"z\":0" : ",\"z\":0");
        ASSERT_FALSE(check_json(reader, pair.shuffled));
        ASSERT_NE(plain, fingerprint(reader, "POST", "/"));
    }
}

}  // namespace
}  // namespace nodex::api
