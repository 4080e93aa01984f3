// llhttp as a second, independent reader of every message.
#include "edge/http/llhttp_machine.h"

#include <llhttp.h>

#include <new>

#include "edge/http/request_parser.h"

static_assert(LLHTTP_STRICT_MODE == 1, "loose llhttp lets requests be smuggled: see edge/http/README.md");

namespace nodex::http {

struct LlhttpCallbacks {
    static LlhttpMachine& machine(llhttp_t* parser) noexcept {
        return *static_cast<LlhttpMachine*>(parser->data);
    }
    static llhttp_t& parser(LlhttpMachine& machine) noexcept {
        return *std::launder(reinterpret_cast<llhttp_t*>(machine.storage_));
    }
    static int head_complete(llhttp_t* parser) {
        LlhttpMachine& self = machine(parser);
        self.head_complete_ = true;
        self.head_chunked_ = (parser->flags & F_CHUNKED) != 0;
        if ((parser->flags & F_CONTENT_LENGTH) != 0) self.head_content_length_ = parser->content_length;
        parser->upgrade = 0;  // never a tunnel: a request with Upgrade is a plain request
        return self.body_ == LlhttpMachine::Body::skipped ? 1 : 0;
    }
    static int body(llhttp_t* parser, const char* at, std::size_t size) {
        machine(parser).sink_->machine_body(Bytes(at, size));
        return 0;
    }
    static int message_complete(llhttp_t* parser) {
        machine(parser).message_complete_ = true;
        return 0;
    }
    static const llhttp_settings_t* settings() noexcept {
        static const llhttp_settings_t table = [] {
            llhttp_settings_t filled;
            llhttp_settings_init(&filled);
            filled.on_headers_complete = head_complete;
            filled.on_body = body;
            filled.on_message_complete = message_complete;
            return filled;
        }();
        return &table;
    }
};

bool LlhttpMachine::read_head(Kind kind, Bytes head, Body body) noexcept {
    static_assert(sizeof(llhttp_t) == storage_bytes);
    static_assert(alignof(llhttp_t) <= 8);
    llhttp_t* const parser = new (storage_) llhttp_t;
    llhttp_init(parser, kind == Kind::request ? HTTP_REQUEST : HTTP_RESPONSE, LlhttpCallbacks::settings());
    parser->data = this;
    body_ = body;
    head_complete_ = false;
    message_complete_ = false;
    head_chunked_ = false;
    head_content_length_ = std::nullopt;
    return llhttp_execute(parser, head.data(), head.size()) == HPE_OK && head_complete_;
}

bool LlhttpMachine::read_body(Bytes bytes, BodySink& sink) noexcept {
    sink_ = &sink;
    const llhttp_errno_t error = llhttp_execute(&LlhttpCallbacks::parser(*this), bytes.data(), bytes.size());
    sink_ = nullptr;
    return error == HPE_OK;
}

bool LlhttpMachine::finish() noexcept {
    return llhttp_finish(&LlhttpCallbacks::parser(*this)) == HPE_OK;
}

bool LlhttpMachine::chunked() const noexcept {
    return head_chunked_;
}
std::optional<std::uint64_t> LlhttpMachine::content_length() const noexcept {
    return head_content_length_;
}

bool llhttp_is_strict() noexcept {
    // CVE-2025-23167: the loose machine ends the head at CR LF CR X and reads what follows as a new request.
    constexpr Bytes smuggled = "GET / HTTP/1.1\r\nHost: a\r\n\rX";
    LlhttpMachine machine;
    return !machine.read_head(LlhttpMachine::Kind::request, smuggled, LlhttpMachine::Body::as_framed);
}

}  // namespace nodex::http
