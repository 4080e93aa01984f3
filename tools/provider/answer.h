// Answer: one completion as a deterministic sequence of events, or as one JSON body. Pure: no time, no I/O.
// Text, usage and event boundaries are functions of the request alone, so runs can be compared byte by byte.
#pragma once
#include <cstdint>
#include <string>

#include "edge/base/bytes.h"
#include "tools/provider/directives.h"

namespace nodex::provider {

// What was asked, and how it is answered.
struct AnswerPlan {
    std::uint64_t seed = 0;           // of the text: taken from the request's fingerprint
    std::uint64_t call_number = 0;    // in the id only
    std::string model;
    bool stream = false;
    bool include_usage = false;
    std::uint32_t choices_count = 1;
    std::uint64_t tokens_count = 0;   // of each choice
    bool cut_by_limit = false;        // finish_reason "length"
    std::uint64_t prompt_tokens = 0;
    std::string tool_name;            // not "": the answer calls this tool
    Directives directives;
};

class Answer {
  public:
    // Per choice: role, tokens, end. Then usage, done. `failed`: an error event took the place of the rest.
    enum class Phase : std::uint8_t { roles, tokens, ends, usage, done, over };

    explicit Answer(AnswerPlan plan);

    // Appends the next event; false when there is none. Events of a round of tokens (one of each choice) come
    // together: starts_round() says that the next event begins one, so that a pace can be kept before it.
    bool next_event(std::string& target);
    [[nodiscard]] bool starts_round() const noexcept { return phase_ == Phase::tokens && choice_ == 0; }
    [[nodiscard]] std::uint64_t events_count() const noexcept { return events_count_; }  // appended so far

    // The whole answer as one body, not for streams.
    [[nodiscard]] std::string body() const;

    [[nodiscard]] const AnswerPlan& plan() const noexcept { return plan_; }

  private:
    void enter(Phase phase) noexcept;
    void append_event(std::string& target, Bytes data);
    void append_choice_event(std::string& target, Bytes delta, Bytes finish_reason);
    void append_delta(std::string& target) const;
    void append_message(std::string& target, std::uint32_t choice, Bytes padding) const;
    void append_usage(std::string& target) const;
    void step() noexcept;
    [[nodiscard]] std::string body_with(Bytes padding) const;
    [[nodiscard]] bool calls_tool() const noexcept { return !plan_.tool_name.empty(); }
    [[nodiscard]] const char* finish_reason() const noexcept;
    [[nodiscard]] Bytes word(std::uint32_t choice, std::uint64_t index) const noexcept;

    AnswerPlan plan_;
    std::string id_;
    std::string head_;              // of every chunk, up to "choices":
    std::string scratch_, delta_;
    Phase phase_ = Phase::roles;
    std::uint32_t choice_ = 0;      // of the next event
    std::uint64_t token_ = 0;       // of the next event
    std::uint64_t events_count_ = 0;
};

}  // namespace nodex::provider
