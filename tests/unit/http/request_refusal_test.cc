// Every shape that is refused, and each limit at its boundary.
#include <gtest/gtest.h>

#include "tests/unit/http/request_events.h"

namespace nodex::http {
namespace {

using namespace std::string_literals;

struct Shape {
    const char* what;
    std::string bytes;
    Refusal refusal = Refusal::malformed;
};

// Fed whole and byte by byte: a refusal must not depend on the network.
void expect_refused(const Shape& shape) {
    for (const std::size_t piece : {shape.bytes.size(), std::size_t{1}, std::size_t{3}}) {
        RequestParser parser;
        RecordedEvents events;
        EXPECT_EQ(feed_in_pieces(parser, shape.bytes, piece, events), shape.refusal)
            << shape.what << ", in pieces of " << piece;
        for (const RecordedRequest& request : events.requests) EXPECT_FALSE(request.complete) << shape.what;
    }
}

Refusal refusal_of(const std::string& bytes, std::size_t piece = 0, std::uint64_t body_bytes_max = 1 << 20) {
    RequestParser parser;
    RecordedEvents events;
    events.body_bytes_max = body_bytes_max;
    return feed_in_pieces(parser, bytes, piece == 0 ? bytes.size() : piece, events);
}

std::string get(const std::string& fields) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string chunks(const std::string& body) {
    return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
}

TEST(RequestRefusal, RefusesEveryBrokenRequestLine) {
    const auto line = [](const std::string& text) { return text + "\r\nHost: a\r\n\r\n"; };
    for (const Shape& shape : std::initializer_list<Shape>{
             {"HTTP/0.9", line("GET /")},
             {"no target", line("GET HTTP/1.1")},
             {"two spaces", line("GET  / HTTP/1.1")},
             {"two spaces at the end", line("GET /  HTTP/1.1")},
             {"space in target", line("GET /a b HTTP/1.1")},
             {"tab", line("GET\t/ HTTP/1.1")},
             {"leading space", line(" GET / HTTP/1.1")},
             {"trailing space", line("GET / HTTP/1.1 ")},
             {"absolute-form", line("GET http://a/ HTTP/1.1")},
             {"asterisk-form", line("OPTIONS * HTTP/1.1")},
             {"authority-form", line("GET a:443 HTTP/1.1")},
             {"fragment", line("GET /a#b HTTP/1.1")},
             {"backslash", line("GET /a\\b HTTP/1.1")},
             {"8-bit in target", line("GET /\xc3\xa4 HTTP/1.1")},
             {"NUL in target", line("GET /\0 HTTP/1.1"s)},
             {"tab in target", line("GET /a\tb HTTP/1.1")},
             {"DEL in target", line("GET /\x7f HTTP/1.1")},
             {"CR in target", line("GET /\rX HTTP/1.1")},
             {"method is no token", line("G(T / HTTP/1.1")},
             {"RTSP", line("GET / RTSP/1.0")},
             {"ICE", line("SOURCE / ICE/1.0")},
             {"lower case http", line("GET / http/1.1")},
             {"three digits", line("GET / HTTP/1.10")},
             {"no minor", line("GET / HTTP/1")},
             {"HTTP/2.0", line("GET / HTTP/2.0"), Refusal::version_unsupported},
             {"HTTP/0.9 spelled", line("GET / HTTP/0.9"), Refusal::version_unsupported},
             {"HTTP/1.2", line("GET / HTTP/1.2"), Refusal::version_unsupported},
             {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::version_unsupported},
             {"CONNECT", line("CONNECT a:443 HTTP/1.1"), Refusal::method_not_allowed},
             {"TRACE", line("TRACE / HTTP/1.1"), Refusal::method_not_allowed},
             {"unknown method", line("FROB / HTTP/1.1"), Refusal::method_not_allowed},
             {"lower case method", line("get / HTTP/1.1"), Refusal::method_not_allowed},
         })
        expect_refused(shape);
}

TEST(RequestRefusal, RefusesEveryBrokenFieldLine) {
    for (const Shape& shape : std::initializer_list<Shape>{
             {"folded line, space", get("X: a\r\n b\r\n")},
             {"folded line, tab", get("X: a\r\n\tb\r\n")},
             {"folded Transfer-Encoding", get("Transfer-Encoding:\r\n chunked\r\n")},
             {"space in front of the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
             {"empty name (CVE-2023-25725)", get(": x\r\nContent-Length: 5\r\n")},
             {"no colon", get("Nonsense\r\n")},
             {"space before colon", get("Content-Length : 5\r\n")},
             {"tab before colon", get("X\t: 5\r\n")},
             {"NUL in name", get("X\0: 5\r\n"s)},
             {"8-bit in name", get("X\xe4: 5\r\n")},
             {"NUL in value", get("X: a\0b\r\n"s)},
             {"CR in value", get("X: a\rb\r\n")},
             {"CR CR LF", get("X: a\r\r\n")},
             {"DEL in value", get("X: a\x7f\r\n")},
             {"control in value", get("X: a\x01\r\n")},
             {"LF alone ends a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"},
             {"LF alone ends the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
             {"CR LF LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
             {"LF LF ends the head", "GET / HTTP/1.1\r\nHost: a\n\n"},
             {"CR LF CR X ends the head (CVE-2025-23167)",
              "GET / HTTP/1.1\r\nHost: a\r\n\rXGET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
         })
        expect_refused(shape);
}

TEST(RequestRefusal, RefusesAllButOneValidHost) {
    for (const Shape& shape : std::initializer_list<Shape>{
             {"no Host", "GET / HTTP/1.1\r\n\r\n"},
             {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
             {"two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"},
             {"empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
             {"list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
             {"path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
             {"userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
             {"no port behind colon", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n"},
             {"port is no number", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n"},
             {"port 0", "GET / HTTP/1.1\r\nHost: a:0\r\n\r\n"},
             {"port too large", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"},
             {"open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
             {"junk behind bracket", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"},
         })
        expect_refused(shape);
    EXPECT_EQ(refusal_of("GET / HTTP/1.0\r\n\r\n"), Refusal::none) << "HTTP/1.0 may do without";
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: a.b-c_d:65535\r\n\r\n"), Refusal::none);
}

TEST(RequestRefusal, RefusesEveryDoubtAboutFraming) {
    const std::string huge(20, '9');
    for (const Shape& shape : std::initializer_list<Shape>{
             {"CL twice", get("Content-Length: 5\r\nContent-Length: 6\r\n")},
             {"CL twice, equal", get("Content-Length: 0\r\nContent-Length: 0\r\n")},
             {"CL list", get("Content-Length: 0, 0\r\n")},
             {"CL empty (CVE-2023-40225)", get("Content-Length:\r\n")},
             {"CL with plus", get("Content-Length: +5\r\n")},
             {"CL negative", get("Content-Length: -1\r\n")},
             {"CL hexadecimal", get("Content-Length: 0x5\r\n")},
             {"CL with space inside", get("Content-Length: 1 1\r\n")},
             {"CL of 20 digits (CVE-2021-40346)", get("Content-Length: " + huge + "\r\n")},
             {"CL beyond 63 bits", get("Content-Length: 9999999999999999999\r\n")},
             {"CL and TE", get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
             {"TE and CL", get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
             {"TE twice", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
             {"TE, TE identity", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")},
             {"TE empty", get("Transfer-Encoding:\r\n")},
             {"TE identity", get("Transfer-Encoding: identity\r\n")},
             {"TE xchunked", get("Transfer-Encoding: xchunked\r\n")},
             {"TE chunked with comma", get("Transfer-Encoding: chunked,\r\n")},
             {"TE comma chunked", get("Transfer-Encoding: ,chunked\r\n")},
             {"TE chunked twice in a list", get("Transfer-Encoding: chunked, chunked\r\n")},
             {"TE chunked first", get("Transfer-Encoding: chunked, gzip\r\n")},
             {"TE quoted", get("Transfer-Encoding: \"chunked\"\r\n")},
             {"TE with parameter", get("Transfer-Encoding: chunked;q=1\r\n")},
             {"TE with vertical tab", get("Transfer-Encoding: \x0b"
                                          "chunked\r\n")},
             {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
             {"coding before chunked", get("Transfer-Encoding: gzip, chunked\r\n"),
              Refusal::coding_unsupported},
             {"unknown expectation", get("Expect: 200-ok\r\n"), Refusal::expectation_failed},
             {"two expectations", get("Expect: 100-continue\r\nExpect: 100-continue\r\n"),
              Refusal::expectation_failed},
         })
        expect_refused(shape);
}

TEST(RequestRefusal, RefusesEveryBrokenChunk) {
    for (const Shape& shape : std::initializer_list<Shape>{
             {"no digit", chunks("\r\n\r\n")},
             {"no hexadecimal", chunks("g\r\n")},
             {"0x", chunks("0x5\r\nhello\r\n0\r\n\r\n")},
             {"plus", chunks("+5\r\nhello\r\n0\r\n\r\n")},
             {"nine digits", chunks("000000005\r\nhello\r\n0\r\n\r\n")},
             {"overflow", chunks("FFFFFFFFFFFFFFFF1\r\n")},
             {"space behind size", chunks("5 \r\nhello\r\n0\r\n\r\n")},
             {"space before size", chunks(" 5\r\nhello\r\n0\r\n\r\n")},
             {"LF behind size", chunks("5\nhello\r\n0\r\n\r\n")},
             {"CR X behind size", chunks("5\rXhello\r\n0\r\n\r\n")},
             {"data longer than size", chunks("5\r\nhelloXX0\r\n\r\n")},
             {"LF behind data", chunks("5\r\nhello\n0\r\n\r\n")},
             {"CR X behind data", chunks("5\r\nhello\rX0\r\n\r\n")},
             {"LF in extension", chunks("5;a\nb\r\nhello\r\n0\r\n\r\n")},
             {"CR in extension", chunks("5;a\rb\r\nhello\r\n0\r\n\r\n")},
             {"NUL in extension", chunks("5;a\0b\r\nhello\r\n0\r\n\r\n"s)},
             {"LF LF at the end", chunks("0\n\n")},
             {"CR LF LF at the end", chunks("0\r\n\n")},
             {"CR X at the end", chunks("0\r\n\rX")},
             {"folded trailer", chunks("0\r\nA: b\r\n c\r\n\r\n")},
             {"trailer without name", chunks("0\r\n: b\r\n\r\n")},
             {"trailer without colon", chunks("0\r\nabc\r\n\r\n")},
             {"trailer with space before colon", chunks("0\r\nA : b\r\n\r\n")},
             {"trailer ended by LF", chunks("0\r\nA: b\n\r\n")},
             {"NUL in trailer", chunks("0\r\nA: \0\r\n\r\n"s)},
         })
        expect_refused(shape);
}

TEST(RequestRefusal, DropsTrailersThatWouldChangeFraming) {
    RequestParser parser;
    RecordedEvents events;
    const std::string next = get("");
    const std::string first = chunks("2\r\nab\r\n0\r\nContent-Length: 50\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(feed_in_pieces(parser, first + next, 1000, events), Refusal::none);
    ASSERT_EQ(events.requests.size(), 2u) << "the next request starts right behind the trailers";
    EXPECT_EQ(events.requests[0].fields.size(), 2u);
    EXPECT_TRUE(events.requests[0].keep_alive);
}

TEST(RequestRefusal, HoldsRequestLineLimit) {
    const auto request = [](std::size_t line_bytes) {
        const std::string rest = " HTTP/1.1";
        return "GET /" + std::string(line_bytes - 5 - rest.size(), 'a') + rest + "\r\nHost: a\r\n\r\n";
    };
    for (const std::size_t piece : {0u, 1u}) {
        EXPECT_EQ(refusal_of(request(limits::request_line_bytes_max - 1), piece), Refusal::none);
        EXPECT_EQ(refusal_of(request(limits::request_line_bytes_max), piece), Refusal::none);
        EXPECT_EQ(refusal_of(request(limits::request_line_bytes_max + 1), piece), Refusal::target_too_long);
    }
    EXPECT_EQ(refusal_of(std::string(100'000, 'a'), 1000), Refusal::target_too_long)
        << "before its end is seen";
}

TEST(RequestRefusal, HoldsHeadLimit) {
    const auto request = [](std::size_t head_bytes) {
        const std::string frame = get("X: \r\n");
        return get("X: " + std::string(head_bytes - frame.size(), 'v') + "\r\n");
    };
    for (const std::size_t piece : {0u, 1u}) {
        EXPECT_EQ(refusal_of(request(limits::head_bytes_max - 1), piece), Refusal::none);
        EXPECT_EQ(refusal_of(request(limits::head_bytes_max), piece), Refusal::none);
        EXPECT_EQ(refusal_of(request(limits::head_bytes_max + 1), piece), Refusal::head_too_large);
    }
}

TEST(RequestRefusal, HoldsFieldCountLimit) {
    const auto request = [](std::size_t fields_count) {
        std::string fields;
        for (std::size_t i = 1; i < fields_count; ++i) fields += "x: y\r\n";  // Host is the first
        return get(fields);
    };
    EXPECT_EQ(refusal_of(request(limits::fields_count_max - 1)), Refusal::none);
    EXPECT_EQ(refusal_of(request(limits::fields_count_max)), Refusal::none);
    EXPECT_EQ(refusal_of(request(limits::fields_count_max + 1)), Refusal::head_too_large);
}

TEST(RequestRefusal, HoldsBodyLimitOfHandler) {
    const auto sized = [](std::size_t size) {
        return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
               std::string(size, 'b');
    };
    const auto split = [](std::size_t size) {  // in chunks of one byte
        std::string body;
        for (std::size_t i = 0; i < size; ++i) body += "1\r\nb\r\n";
        return chunks(body + "0\r\n\r\n");
    };
    for (const std::size_t piece : {0u, 1u}) {
        EXPECT_EQ(refusal_of(sized(99), piece, 100), Refusal::none);
        EXPECT_EQ(refusal_of(sized(100), piece, 100), Refusal::none);
        EXPECT_EQ(refusal_of(sized(101), piece, 100), Refusal::body_too_large);
        EXPECT_EQ(refusal_of(split(99), piece, 100), Refusal::none);
        EXPECT_EQ(refusal_of(split(100), piece, 100), Refusal::none);
        EXPECT_EQ(refusal_of(split(101), piece, 100), Refusal::body_too_large);
    }
    EXPECT_EQ(refusal_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 0, 100),
              Refusal::body_too_large)
        << "known from the head alone";
}

TEST(RequestRefusal, HoldsExtensionLimits) {
    const auto line = [](std::size_t bytes) { return "1;" + std::string(bytes - 1, 'e') + "\r\nb\r\n"; };
    const std::string end = "0\r\n\r\n";
    const std::size_t most = limits::chunk_extension_line_bytes_max;
    EXPECT_EQ(refusal_of(chunks(line(most - 1) + end)), Refusal::none);
    EXPECT_EQ(refusal_of(chunks(line(most) + end)), Refusal::none);
    EXPECT_EQ(refusal_of(chunks(line(most + 1) + end)), Refusal::malformed);

    static_assert(limits::chunk_extension_body_bytes_max % limits::chunk_extension_line_bytes_max == 0);
    std::string full;
    for (std::size_t sum = 0; sum < limits::chunk_extension_body_bytes_max; sum += most) full += line(most);
    EXPECT_EQ(refusal_of(chunks(full + end)), Refusal::none);
    EXPECT_EQ(refusal_of(chunks(full + "1;a\r\nb\r\n" + end)), Refusal::malformed);
}

TEST(RequestRefusal, HoldsTrailerLimit) {
    const auto trailers = [](std::size_t bytes) {
        return chunks("0\r\nT: " + std::string(bytes - 5, 't') + "\r\n\r\n");
    };
    EXPECT_EQ(refusal_of(trailers(limits::trailer_bytes_max - 1)), Refusal::none);
    EXPECT_EQ(refusal_of(trailers(limits::trailer_bytes_max)), Refusal::none);
    EXPECT_EQ(refusal_of(trailers(limits::trailer_bytes_max + 1)), Refusal::malformed);
}

TEST(RequestRefusal, KnowsStatusAndNameOfEach) {
    for (const auto& [refusal, status] :
         {std::pair{Refusal::malformed, 400}, std::pair{Refusal::target_too_long, 414},
          std::pair{Refusal::head_too_large, 431}, std::pair{Refusal::body_too_large, 413},
          std::pair{Refusal::version_unsupported, 400}, std::pair{Refusal::method_not_allowed, 405},
          std::pair{Refusal::expectation_failed, 417}, std::pair{Refusal::coding_unsupported, 400},
          std::pair{Refusal::timed_out, 408}}) {
        EXPECT_EQ(status_of(refusal), status);
        EXPECT_LT(status_of(refusal), 500) << "a request that cannot be read is never our failure";
        EXPECT_STRNE(name(refusal), "none");
    }
}

}  // namespace
}  // namespace nodex::http
