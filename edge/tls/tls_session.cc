// One TLS connection over memory. The library reads straight from the caller's view and writes straight into
// output(), through a BIO of our own: the two memory BIOs it offers would each copy every octet once more.
#include "edge/tls/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "edge/base/log.h"
#include "edge/tls/client_context.h"
#include "edge/tls/policy.h"
#include "edge/tls/server_context.h"

namespace nodex::tls {
namespace {

constexpr std::size_t record_bytes_max = 16 * 1024;  // RFC 8446 section 5.1: plaintext of one record

// What the BIO of a session moves octets between.
struct Transfer {
    Bytes inbound;       // what feed() was given and the library has not taken; empty outside feed()
    std::string output;  // ciphertext to be sent
};

Transfer& transfer_of(BIO* bio) noexcept {
    return *static_cast<Transfer*>(BIO_get_data(bio));
}

int take_inbound(BIO* bio, char* target, int target_bytes) {
    Transfer& transfer = transfer_of(bio);
    BIO_clear_retry_flags(bio);
    if (transfer.inbound.empty()) {
        BIO_set_retry_read(bio);  // "not yet": whether the transport ended is not TLS's to know
        return -1;
    }
    const std::size_t taken = std::min(transfer.inbound.size(), static_cast<std::size_t>(target_bytes));
    std::memcpy(target, transfer.inbound.data(), taken);
    transfer.inbound.remove_prefix(taken);
    return static_cast<int>(taken);
}

int append_output(BIO* bio, const char* source, int source_bytes) {
    BIO_clear_retry_flags(bio);
    transfer_of(bio).output.append(source, static_cast<std::size_t>(source_bytes));
    return source_bytes;
}

long control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* transfer_method() noexcept {
    static const BIO_METHOD* method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "session");
        NX_ASSERT(made != nullptr);
        BIO_meth_set_read(made, take_inbound);
        BIO_meth_set_write(made, append_output);
        BIO_meth_set_ctrl(made, control);
        return made;
    }();
    return method;
}

bool may_follow(Phase from, Phase to) noexcept {
    switch (from) {
        case Phase::handshaking: return to != Phase::handshaking;
        case Phase::open: return to == Phase::closed || to == Phase::failed;
        case Phase::closed:
        case Phase::failed: return false;
    }
    return false;
}

class SessionImpl final : public Session {
  public:
    // `context` is kept alive for the connection's callbacks. Without a connection the session is born
    // failed.
    SessionImpl(std::shared_ptr<const void> context, Handle<ssl_st> connection) noexcept
        : context_(std::move(context)), connection_(std::move(connection)) {
        if (!connection_) {
            fail(ErrorCode::tls_certificate_invalid);
            return;
        }
        BIO* bio = BIO_new(transfer_method());
        NX_ASSERT(bio != nullptr);
        BIO_set_data(bio, &transfer_);
        BIO_set_init(bio, 1);
        SSL_set_bio(connection_.get(), bio, bio);  // takes the one reference, for both directions
    }

    [[nodiscard]] Phase phase() const noexcept override { return phase_; }
    Status feed(Bytes ciphertext, std::string& plaintext) noexcept override;
    Status write(Bytes plaintext) noexcept override;
    void close() noexcept override;
    [[nodiscard]] std::string& output() noexcept override { return transfer_.output; }
    [[nodiscard]] const char* version() const noexcept override;
    [[nodiscard]] bool resumed() const noexcept override;

  private:
    void enter(Phase next) noexcept {
        NX_ASSERT(may_follow(phase_, next));
        phase_ = next;
    }
    Error fail(ErrorCode code) noexcept {
        failure_ = Error{code, ErrorSource::tls};
        enter(Phase::failed);
        return failure_;
    }
    Status advance_handshake() noexcept;
    ErrorCode handshake_failure() const noexcept;
    Status read_records(std::string& plaintext) noexcept;

    std::shared_ptr<const void> context_;
    Transfer transfer_;
    Handle<ssl_st> connection_;
    Phase phase_ = Phase::handshaking;
    Error failure_{};  // set exactly when phase_ is failed: repeated to whoever still feeds
};

Status SessionImpl::feed(Bytes ciphertext, std::string& plaintext) noexcept {
    if (phase_ == Phase::failed) return failure_;
    if (phase_ == Phase::closed) return Error{ErrorCode::peer_closed, ErrorSource::tls};
    transfer_.inbound = ciphertext;
    Status done = phase_ == Phase::handshaking ? advance_handshake() : Status();
    if (done && phase_ == Phase::open) done = read_records(plaintext);
    transfer_.inbound = {};  // the view is the caller's again
    return done;
}

Status SessionImpl::advance_handshake() noexcept {
    ERR_clear_error();
    const int result = SSL_do_handshake(connection_.get());
    if (result == 1) {
        enter(Phase::open);
        return {};
    }
    if (SSL_get_error(connection_.get(), result) == SSL_ERROR_WANT_READ) return {};
    const ErrorCode code = handshake_failure();
    ERR_clear_error();
    return fail(code);
}

// A client tells a certificate it does not trust from every other failure, and says why once.
ErrorCode SessionImpl::handshake_failure() const noexcept {
    const SSL* connection = connection_.get();
    if (SSL_is_server(connection) == 1) return ErrorCode::tls_handshake_failed;
    const long verified = SSL_get_verify_result(connection);
    const bool untrusted = verified != X509_V_OK;
    log::warning(
        "tls_connect_failed",
        {{"host", host_of(connection)},
         {"reason", untrusted ? std::string(X509_verify_cert_error_string(verified)) : take_error_text()}});
    return untrusted ? ErrorCode::tls_certificate_invalid : ErrorCode::tls_handshake_failed;
}

Status SessionImpl::read_records(std::string& plaintext) noexcept {
    std::array<char, record_bytes_max> record;  // filled before it is read
    for (;;) {                                  // ends: every round takes a record from `inbound`, or fails
        const int got = SSL_read(connection_.get(), record.data(), static_cast<int>(record.size()));
        if (got > 0) {
            plaintext.append(record.data(), static_cast<std::size_t>(got));
            continue;
        }
        switch (SSL_get_error(connection_.get(), got)) {
            case SSL_ERROR_WANT_READ: return {};
            case SSL_ERROR_ZERO_RETURN: return Error{ErrorCode::peer_closed, ErrorSource::tls};
            default: break;
        }
        // A fatal alert is the peer giving up; everything else is bytes that are not TLS.
        const std::uint32_t reason = ERR_peek_error();
        const bool alerted =
            ERR_GET_LIB(reason) == ERR_LIB_SSL && ERR_GET_REASON(reason) >= SSL_AD_REASON_OFFSET;
        ERR_clear_error();
        return fail(alerted ? ErrorCode::connection_reset : ErrorCode::malformed);
    }
}

Status SessionImpl::write(Bytes plaintext) noexcept {
    NX_ASSERT(phase_ == Phase::open);
    while (!plaintext.empty()) {
        const std::size_t piece = std::min(plaintext.size(), record_bytes_max);
        const int written = SSL_write(connection_.get(), plaintext.data(), static_cast<int>(piece));
        if (written <= 0) {  // the record sequence ran out, or a fatal alert came before
            ERR_clear_error();
            return fail(ErrorCode::connection_reset);
        }
        plaintext.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

void SessionImpl::close() noexcept {
    switch (phase_) {
        case Phase::open:
            SSL_shutdown(connection_.get());  // close_notify goes out; the peer's is not waited for
            ERR_clear_error();
            enter(Phase::closed);
            break;
        case Phase::handshaking: enter(Phase::closed); break;  // nothing was promised: nothing to take back
        case Phase::closed:
        case Phase::failed: break;
    }
}

const char* SessionImpl::version() const noexcept {
    if (!connection_ || SSL_in_init(connection_.get()) != 0) return "";
    return SSL_get_version(connection_.get());
}

bool SessionImpl::resumed() const noexcept {
    return connection_ && SSL_in_init(connection_.get()) == 0 && SSL_session_reused(connection_.get()) == 1;
}

}  // namespace

const char* name(Phase phase) noexcept {
    switch (phase) {
        case Phase::handshaking: return "handshaking";
        case Phase::open: return "open";
        case Phase::closed: return "closed";
        case Phase::failed: return "failed";
    }
    return "unknown";
}

std::unique_ptr<Session> Session::accept(std::shared_ptr<ServerContext> context) {
    NX_ASSERT(context != nullptr);
    Handle<ssl_st> connection = static_cast<const ServerContextImpl&>(*context).start();
    return std::make_unique<SessionImpl>(std::move(context), std::move(connection));
}

std::unique_ptr<Session> Session::connect(std::shared_ptr<ClientContext> context, const std::string& host) {
    NX_ASSERT(context != nullptr);
    Handle<ssl_st> connection = static_cast<ClientContextImpl&>(*context).start(host);
    if (!connection)
        log::warning("tls_connect_failed", {{"host", host}, {"reason", "not a host name or address"}});
    return std::make_unique<SessionImpl>(std::move(context), std::move(connection));
}

}  // namespace nodex::tls
