// Both reports are made from one list of figures, so they cannot disagree.
#include "bench/load/report.h"

#include <cstdio>
#include <vector>

#include "edge/base/log.h"

namespace nodex::bench {
namespace {

constexpr double quantiles[] = {0.5, 0.9, 0.99, 0.999};
constexpr const char* quantile_names[] = {"p50", "p90", "p99", "p999"};

struct Timing {
    const char* name;   // JSON
    const char* title;  // text
    const Histogram& histogram;
};

struct Figure {
    const char* name;
    const char* title;
    const char* unit;
    double value;
};

std::vector<Timing> timings(const Recorder& measured) {
    return {{"call", "whole call", measured.call()},
            {"first_token", "first token", measured.token()},
            {"event_gap", "gap between events", measured.gap()},
            {"connect", "connect", measured.connect()},
            {"lateness", "generator's lateness", measured.lateness()}};
}

double per(double amount, std::uint64_t count) {
    return count == 0 ? 0 : amount / static_cast<double>(count);
}

double microseconds(Nanoseconds value) { return static_cast<double>(value) / microsecond; }

std::vector<Figure> figures(const Outcome& outcome) {
    const double window_ns = outcome.window_s * static_cast<double>(second);
    const std::uint64_t answered = outcome.in_window.answered;
    const std::uint64_t events = outcome.in_window.events;
    std::vector<Figure> all{
        {"requests_per_s", "requests", "/s", static_cast<double>(answered) / outcome.window_s},
        {"events_per_s", "events", "/s", static_cast<double>(events) / outcome.window_s},
        {"generator_busy", "generator's CPU", "cores", static_cast<double>(outcome.own_cpu_ns) / window_ns}};
    if (outcome.server_cpu_ns) {
        const double cpu_us = microseconds(*outcome.server_cpu_ns);
        all.push_back({"server_busy", "server's CPU", "cores", cpu_us * 1'000 / window_ns});
        all.push_back({"server_cpu_us_per_request", "server's CPU", "us/request", per(cpu_us, answered)});
        all.push_back({"server_cpu_us_per_event", "server's CPU", "us/event", per(cpu_us, events)});
    }
    if (outcome.rss_bytes && outcome.rss_before_bytes) {
        const double after_kib = static_cast<double>(*outcome.rss_bytes) / 1024;
        const double before_kib = static_cast<double>(*outcome.rss_before_bytes) / 1024;
        all.push_back({"server_rss_kib", "server's memory", "KiB", after_kib});
        all.push_back({"server_rss_kib_per_connection", "grown by", "KiB/connection",
                       per(after_kib - before_kib, outcome.connections_open)});
    }
    return all;
}

template <class... Values>
void append(std::string& target, const char* format, Values... values) {
    char line[256];
    const int size = std::snprintf(line, sizeof line, format, values...);
    target.append(line, static_cast<std::size_t>(size));
}

double milliseconds(std::uint64_t ns) { return static_cast<double>(ns) / static_cast<double>(millisecond); }

void append_text_timing(std::string& text, const Timing& timing) {
    if (timing.histogram.count() == 0) return;
    append(text, "%-22s", timing.title);
    for (const double q : quantiles) append(text, "%10.3f", milliseconds(timing.histogram.quantile(q)));
    append(text, "%10.3f", milliseconds(timing.histogram.quantile(1)));
    append(text, "%12llu\n", static_cast<unsigned long long>(timing.histogram.count()));
}

void append_json_string(std::string& json, const char* name, const std::string& value) {
    append(json, "\"%s\":\"", name);
    log::append_escaped(json, value);
    json += '"';
}

void append_json_timing(std::string& json, const Timing& timing) {
    const Histogram& histogram = timing.histogram;
    append(json, "\"%s\":{\"count\":%llu", timing.name, static_cast<unsigned long long>(histogram.count()));
    append(json, ",\"mean_us\":%.3f", per(static_cast<double>(histogram.sum()) / 1'000, histogram.count()));
    for (std::size_t i = 0; i < std::size(quantiles); ++i)
        append(json, ",\"%s_us\":%.3f", quantile_names[i],
               static_cast<double>(histogram.quantile(quantiles[i])) / 1'000);
    append(json, ",\"max_us\":%.3f}", static_cast<double>(histogram.quantile(1)) / 1'000);
}

void append_json_options(std::string& json, const Options& options) {
    json += "\"options\":{";
    append_json_string(json, "mode", name(options.mode));
    append(json, ",\"tls\":%s,\"stream\":%s,\"unique_keys\":%s", options.target.tls ? "true" : "false",
           options.stream ? "true" : "false", options.unique_keys ? "true" : "false");
    append(json, ",\"connections\":%u,\"rate_per_s\":%.3f,\"cores\":%u", options.connections_count,
           options.rate_per_s, options.cores);
    append(json, ",\"duration_s\":%.3f,\"warmup_s\":%.3f", static_cast<double>(options.duration) / second,
           static_cast<double>(options.warmup) / second);
    append(json, ",\"body_bytes\":%llu}", static_cast<unsigned long long>(options.body.size()));
}

}  // namespace

std::string text_report(const Options& options, const Outcome& outcome) {
    std::string text;
    append(text, "%s, %u connections, %s", name(options.mode), options.connections_count,
           options.target.tls ? "TLS" : "plain");
    if (options.mode == Mode::open_loop) append(text, ", %.0f requests/s", options.rate_per_s);
    append(text, ", %.1f s after %.1f s of warm-up\n\n", outcome.window_s,
           static_cast<double>(options.warmup) / second);
    text += "milliseconds                 p50       p90       p99     p99.9       max       count\n";
    for (const Timing& timing : timings(*outcome.measured)) append_text_timing(text, timing);
    text += '\n';
    for (const Figure& figure : figures(outcome))
        append(text, "%-22s%12.2f %s\n", figure.title, figure.value, figure.unit);
    const auto failed = static_cast<unsigned long long>(outcome.measured->failures_total());
    append(text, "%-22s%12llu\n", "failed", failed);
    for (std::size_t i = 0; i < failures_count; ++i) {
        const auto failure = static_cast<Failure>(i);
        const auto count = static_cast<unsigned long long>(outcome.measured->failures(failure));
        if (count > 0) append(text, "  %-20s%12llu\n", name(failure), count);
    }
    for (int code = 0; code < 600; ++code) {
        const auto count = static_cast<unsigned long long>(outcome.measured->status_count(code));
        if (count > 0 && code != options.expect_status) append(text, "  status %-13d%12llu\n", code, count);
    }
    if (outcome.unfinished > 0)
        append(text, "%-22s%12llu\n", "cut by the end", static_cast<unsigned long long>(outcome.unfinished));
    return text;
}

std::string json_report(const Options& options, const Outcome& outcome) {
    std::string json = "{";
    append_json_string(json, "label", options.label);
    json += ',';
    append_json_options(json, options);
    append(json, ",\"window_s\":%.3f,\"answered\":%llu,\"events\":%llu", outcome.window_s,
           static_cast<unsigned long long>(outcome.in_window.answered),
           static_cast<unsigned long long>(outcome.in_window.events));
    append(json, ",\"unfinished\":%llu,\"connections_open\":%u",
           static_cast<unsigned long long>(outcome.unfinished), outcome.connections_open);
    for (const Figure& figure : figures(outcome)) append(json, ",\"%s\":%.3f", figure.name, figure.value);
    json += ",\"timings\":{";
    bool first = true;
    for (const Timing& timing : timings(*outcome.measured)) {
        if (!first) json += ',';
        first = false;
        append_json_timing(json, timing);
    }
    append(json, "},\"failed\":%llu,\"failures\":{",
           static_cast<unsigned long long>(outcome.measured->failures_total()));
    for (std::size_t i = 0; i < failures_count; ++i) {
        const auto failure = static_cast<Failure>(i);
        append(json, "%s\"%s\":%llu", i == 0 ? "" : ",", name(failure),
               static_cast<unsigned long long>(outcome.measured->failures(failure)));
    }
    json += "}}\n";
    return json;
}

}  // namespace nodex::bench
