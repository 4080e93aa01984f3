// Page: what a program counts, in Prometheus's text format (version 0.0.4). Made anew for each
// scrape. One thread.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "edge/base/histogram.h"

namespace nodex::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;  // name, value

class Page {
    struct State;

  public:
    Page();
    ~Page();
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    // One value without labels. Names and help texts outlive the page.
    void counter(const char* name, const char* help, double value);
    void gauge(const char* name, const char* help, double value);

    // Values that differ in their labels; valid as long as the page. A counter that an alert
    // watches is given from 0 on: increase() does not see a series begin.
    class Family {
      public:
        void add(double value, Labels labels);
        // Of nanoseconds: shown in seconds, in buckets from 10 microseconds to 60 s.
        void add(const Histogram& histogram, Labels labels);

      private:
        friend class Page;
        Family(State& page, std::size_t index) noexcept : page_(page), index_(index) {}
        State& page_;
        const std::size_t index_;
    };
    enum class Kind : std::uint8_t { counter, gauge, histogram };
    [[nodiscard]] Family family(const char* name, const char* help, Kind kind);

    [[nodiscard]] std::string text() const;

  private:
    std::unique_ptr<State> state_;
};

}  // namespace nodex::metrics
