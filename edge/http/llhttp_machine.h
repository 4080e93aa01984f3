// llhttp as a second, independent reader of every message: it must agree with our own checks, and it takes
// chunked bodies apart. Its own strictness does not reach far enough (README.md here, Decisions), so nothing
// is believed because llhttp accepts it. The only user of llhttp.h is llhttp_machine.cc.
#pragma once
#include <cstddef>
#include <cstdint>

#include "edge/base/bytes.h"

namespace nodex::http {

class BodySink {
  public:
    virtual void machine_body(Bytes bytes) noexcept = 0;

  protected:
    ~BodySink() = default;
};

class LlhttpMachine {
  public:
    enum class Kind : std::uint8_t { request, response };
    enum class Body : std::uint8_t { as_framed, skipped };  // skipped: answers to HEAD, 1xx, 204, 304

    // A whole head and nothing else. False: llhttp refuses it or does not see its end there.
    bool read_head(Kind kind, Bytes head, Body body) noexcept;
    // Bytes of the body; its content goes to `sink`. False: llhttp refuses them.
    bool read_body(Bytes bytes, BodySink& sink) noexcept;
    // The stream ended. False: inside a message.
    bool finish() noexcept;

    // What llhttp understood.
    [[nodiscard]] bool chunked() const noexcept;
    [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;
    [[nodiscard]] bool message_complete() const noexcept { return message_complete_; }

  private:
    friend struct LlhttpCallbacks;
    static constexpr std::size_t storage_bytes = 96;  // an llhttp_t; asserted in the .cc
    alignas(8) std::byte storage_[storage_bytes];
    BodySink* sink_ = nullptr;  // during read_body
    Body body_ = Body::as_framed;
    bool head_complete_ = false;
    bool message_complete_ = false;
    bool head_chunked_ = false;  // llhttp clears its flags at the end of a message: kept from the head
    std::optional<std::uint64_t> head_content_length_;
};

}  // namespace nodex::http
