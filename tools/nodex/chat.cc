// `nodex chat`: one completion, streamed or not, resumed when the stream is cut.
#include <sys/random.h>
#include <time.h>

#include <cstdio>

#include "edge/base/bytes.h"
#include "edge/http/sse.h"
#include "tools/nodex/customer.h"
#include "tools/nodex/render.h"

namespace nodex::cli {

namespace {

constexpr unsigned resumes_max = 5;    // then the stream counts as failed
constexpr long resume_pause_ms = 250;  // before the first one, doubled for each further one
constexpr std::size_t key_octets = 16;

std::string random_key() {
    std::string octets(key_octets, '\0');
    NX_ASSERT(getrandom(octets.data(), octets.size(), 0) == static_cast<ssize_t>(octets.size()));
    return "cli-" + to_hex(octets);
}

void pause_before_resume(unsigned attempt) {
    const long milliseconds = resume_pause_ms << attempt;
    const timespec pause{milliseconds / 1'000, (milliseconds % 1'000) * 1'000'000};
    nanosleep(&pause, nullptr);
}

Json chat_body(const Chat& chat, const std::string& model) {
    Json messages = Json::array();
    const auto message = [](std::string_view role, std::string_view content) {
        Json object = Json::object();
        object.set("role", Json::string(role)).set("content", Json::string(content));
        return object;
    };
    if (!chat.system.empty()) messages.push(message("system", chat.system));
    messages.push(message("user", chat.text));
    Json body = Json::object();
    body.set("model", Json::string(model)).set("messages", std::move(messages));
    if (!chat.max_tokens.empty())
        body.set("max_completion_tokens", Json::identifier(chat.max_tokens));
    if (chat.stream) body.set("stream", Json::boolean(true));
    return body;
}

// choices[0].`holder`.content, "" when there is none.
std::string_view content_of(const Json& completion, std::string_view holder) {
    const Json* choices = completion.find("choices");
    if (choices == nullptr || choices->items().empty()) return {};
    const Json* inner = choices->items().front().find(holder);
    return inner == nullptr ? std::string_view() : inner->text_of("content");
}

// Prints a stream as it comes and remembers how far it got.
class StreamPrinter final : public StreamSink, private http::SseEvents {
  public:
    explicit StreamPrinter(bool json) : json_(json) {}

    bool stream_bytes(std::string_view bytes) override {
        if (!parser_.feed(bytes, *this)) broken_ = true;
        std::fflush(stdout);
        return !broken_ && !done_ && error_.empty();
    }

    void connection_ended() { parser_.reset(); }

    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] bool broken() const { return broken_; }              // not the stream of a chat
    [[nodiscard]] const std::string& error() const { return error_; }  // told inside the stream
    [[nodiscard]] const std::string& error_code() const { return error_code_; }
    [[nodiscard]] std::uint64_t events_count() const { return events_count_; }

  private:
    void server_event(const http::ServerEvent& event) noexcept override {
        ++events_count_;  // ids count from 1 without gaps (deploy/api.md, Chat), so this is the
                          // last id
        if (event.data == "[DONE]") {
            done_ = true;
            return;
        }
        const std::optional<Json> chunk = Json::parse(event.data);
        if (!chunk) {
            broken_ = true;
            return;
        }
        if (const Json* error = chunk->find("error"); error != nullptr) {
            error_ = error->text_of("message");
            error_code_ = error->text_of("code");
            return;
        }
        const std::string text =
            json_ ? chunk->compact() + '\n' : printable(content_of(*chunk, "delta"), true);
        std::fwrite(text.data(), 1, text.size(), stdout);
    }

    http::SseParser parser_;
    bool json_;
    bool done_ = false;
    bool broken_ = false;
    std::string error_;
    std::string error_code_;
    std::uint64_t events_count_ = 0;
};

std::string first_model(const Settings& settings, HttpAnswer& answer) {
    answer = http_call(customer_request(settings, "/models"));
    const std::optional<Json> body = Json::parse(answer.body);
    const Json* list = body ? body->find("data") : nullptr;
    if (answer.status != 200 || list == nullptr || list->items().empty()) return {};
    return std::string(list->items().front().text_of("id"));
}

Exit stream_end(const Settings& settings, const StreamPrinter& printer, const HttpAnswer& answer) {
    if (!settings.json && printer.events_count() > 0) std::fputc('\n', stdout);
    if (!printer.error().empty())
        return complain(settings, Exit::failed, printer.error_code(), printer.error());
    if (printer.done()) return std::fflush(stdout) == 0 ? Exit::ok : Exit::failed;
    if (printer.broken() || answer.failure.empty())
        return complain(settings, Exit::failed, "answer_cut", "the stream ended before its [DONE]");
    return complain_answer(settings, answer, settings.base_url);
}

Exit run_stream(const Settings& settings, const HttpRequest& first) {
    StreamPrinter printer(settings.json);
    HttpRequest request = first;
    HttpAnswer answer = http_call(request, &printer);
    for (unsigned attempt = 0; attempt < resumes_max; ++attempt) {
        const bool over = printer.done() || printer.broken() || !printer.error().empty();
        if (over || printer.events_count() == 0) break;  // nothing to resume, or nothing began
        pause_before_resume(attempt);
        printer.connection_ended();
        request = first;
        request.fields.emplace_back("Last-Event-ID", http::event_id(printer.events_count()));
        if (!answer.session_id.empty())
            request.fields.emplace_back("X-Nodex-Session-Id", answer.session_id);
        const std::string session_id = answer.session_id;
        answer = http_call(request, &printer);
        if (answer.session_id.empty()) answer.session_id = session_id;
        if (answer.status != 0 && answer.status != 200) break;
    }
    if (answer.status != 0 && answer.status != 200)
        return complain_answer(settings, answer, settings.base_url);
    return stream_end(settings, printer, answer);
}

Exit run_whole(const Settings& settings, const HttpRequest& request) {
    const HttpAnswer answer = http_call(request);
    const std::optional<Json> body = Json::parse(answer.body);
    if (answer.status != 200 || !answer.failure.empty() || !body)
        return complain_answer(settings, answer, settings.base_url);
    if (settings.json) return show(settings, *body);
    return show(settings, Json::string(content_of(*body, "message")));
}

}  // namespace

Exit run_chat(const Settings& settings, const Chat& chat) {
    std::string model = chat.model;
    if (model.empty()) {
        HttpAnswer answer;
        model = first_model(settings, answer);
        if (model.empty() && answer.status == 200)
            return complain(settings, Exit::refused, "model_not_found",
                            "this key may use no model");
        if (model.empty()) return complain_answer(settings, answer, settings.base_url);
    }
    HttpRequest request = customer_request(settings, "/chat/completions");
    request.method = "POST";
    request.body = chat_body(chat, model).compact();
    const std::string& key = chat.idempotency_key;
    request.fields.emplace_back("X-Idempotency-Key", key.empty() ? random_key() : key);
    return chat.stream ? run_stream(settings, request) : run_whole(settings, request);
}

}  // namespace nodex::cli
